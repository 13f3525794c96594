using System.CommandLine;
using System.Text;
using QApollo.Cli.Options;
using QApollo.Cli.Views;
using QApollo.Data.Tokenizers;
using QApollo.Files;
using QApollo.Memory;
using QApollo.Reports;
using QApollo.Training;
using QApollo.Training.Planning;
using R = QApollo.Cli.Options.ReportOptionTable;
using T = QApollo.Cli.Options.TrainOptionTable;

namespace QApollo.Cli.Commands;

/// <summary>`qapollo plan`: what a run will take, to the byte, before there is a device.</summary>
internal static class PlanCommand
{
    public static Command Create()
    {
        var command = new Command("plan", "Tell what memory a training run takes, to the byte; needs no device.");
        var commandLine = new CommandLine(command, R.Plan);
        command.SetAction(parsed => Execute(commandLine, parsed));
        return command;
    }

    /// <summary>The report of the run that the options describe.</summary>
    internal static (TrainingOptions Options, MemoryReport Report) MakeReport(OptionValues values, DeviceChoice device)
    {
        TrainingOptions wanted = TrainSettings.ToTrainingOptions(values, LoadTokenizer(values), values.Get(R.Ranks));
        MemoryBudget budget = BudgetSettings.Read(values, device);
        MemoryPlanner planner = BudgetSettings.Planner(values, device.Profile, budget);
        PlannedRun run = planner.Plan(wanted, values.Get(T.Model));
        double? link = values.GetText(R.Link) is { } text ? R.LinkBytes(text) : null;
        return (run.Options, MemoryReport.Of(values.Get(T.Model), run, budget, planner.Alternatives(wanted, run)) with
        {
            Scaling = link is null ? null : new RankScaling(run.Layout, link.Value),
        });
    }

    internal static ITokenizer? LoadTokenizer(OptionValues values) => values.GetText(R.Tokenizer) is { } name ? TokenizerLoader.Load(name) : null;

    internal static OptionValues ReadOptions(CommandLine commandLine, ParseResult parsed)
    {
        var errors = new List<string>();
        OptionValues values = commandLine.Read(parsed, errors);
        return errors.Count == 0 ? values : throw new UsageException(string.Join(Environment.NewLine, errors));
    }

    /// <summary>Writes a report's file, whole or not at all, if its option was given.</summary>
    internal static void WriteFile(OptionValues values, OptionSpec<string> option, Func<string> content)
    {
        if (values.GetText(option) is { } path)
        {
            PendingFile.WriteAll(path, Encoding.UTF8.GetBytes(content()));
            Console.Error.WriteLine($"wrote {path}");
        }
    }

    internal static void WriteUtf8(byte[] json)
    {
        using Stream output = Console.OpenStandardOutput();
        output.Write(json);
    }

    private static int Execute(CommandLine commandLine, ParseResult parsed)
    {
        OptionValues values = ReadOptions(commandLine, parsed);
        OutputFile.Require(values, R.Html);
        (_, MemoryReport report) = MakeReport(values, new DeviceChoice(values, DeviceText(values), isPlan: true, ranks: values.Get(R.Ranks)));
        if (values.Get(R.Json))
        {
            WriteUtf8(MemoryReportJson.ToUtf8(report));
        }
        else
        {
            ReportView.Write(report);
        }

        WriteFile(values, R.Html, () => MemoryReportHtml.ToHtml(report));
        return ExitCode.Success;
    }

    /// <summary>What is free can only be asked of a device that is here.</summary>
    private static string DeviceText(OptionValues values) => values.IsGiven(R.PlanDevice)
        ? values.Get(R.PlanDevice)
        : BudgetText.IsAuto(values.GetText(T.Budget)) ? DeviceChoice.Auto : R.PlanDevice.Default!;
}
