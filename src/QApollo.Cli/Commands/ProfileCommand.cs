using System.CommandLine;
using System.Globalization;
using QApollo.Cli.Options;
using QApollo.Cli.Views;
using QApollo.Cuda;
using QApollo.Cuda.Blas;
using QApollo.Devices;
using QApollo.Reports;
using QApollo.Training;
using R = QApollo.Cli.Options.ReportOptionTable;

namespace QApollo.Cli.Commands;

/// <summary>`qapollo profile`: a few real steps on random tokens, measured beside their plan.</summary>
internal static class ProfileCommand
{
    public static Command Create()
    {
        var command = new Command("profile", "Run a few steps and compare memory and speed with the plan.");
        var commandLine = new CommandLine(command, R.Profile);
        command.SetAction(parsed => Execute(commandLine, parsed));
        return command;
    }

    private static int Execute(CommandLine commandLine, ParseResult parsed)
    {
        OptionValues values = PlanCommand.ReadOptions(commandLine, parsed);
        OutputFile.Require(values, R.Html);
        OutputFile.Require(values, R.Markdown);
        var choice = new DeviceChoice(values);
        (TrainingOptions options, MemoryReport plan) = PlanCommand.MakeReport(values, choice);
        using IDevice device = choice.Open();
        Console.Error.WriteLine($"measuring {values.Get(R.Steps)} steps on {choice.Describe(device)}");
        ProfileReport report;
        using (StageView progress = StageView.OnError())
        {
            report = new Profiler(device, device is CudaDevice cuda ? cuda.MemoryInfo : null) { Progress = progress }.Run(options, plan, values.Get(R.Steps));
        }

        foreach (ProductTime time in device is CudaDevice measured ? measured.ProductTimes : [])
        {
            Console.Error.WriteLine(string.Create(
                CultureInfo.InvariantCulture, $"{time.Product}: own {time.Own:F3} ms, cuBLASLt with its share of the expansion {time.Library:F3} ms"));
        }

        if (values.Get(R.Json))
        {
            PlanCommand.WriteUtf8(ProfileReportFiles.ToJson(report));
        }
        else
        {
            ReportView.Write(report);
        }

        PlanCommand.WriteFile(values, R.Html, () => ProfileReportFiles.ToHtml(report));
        PlanCommand.WriteFile(values, R.Markdown, () => ProfileReportFiles.ToMarkdown(report));
        return ExitCode.Success;
    }
}
