using System.CommandLine;
using QApollo.Benchmarks;
using QApollo.Cli.Options;
using QApollo.Cli.Views;
using QApollo.Cpu;
using QApollo.Devices;
using QApollo.Reports;
using QApollo.Training;
using R = QApollo.Cli.Options.ReportOptionTable;
using T = QApollo.Cli.Options.TrainOptionTable;

namespace QApollo.Cli.Commands;

/// <summary>`qapollo bench`: how long each operation of a step takes, against what the device can do.</summary>
internal static class BenchCommand
{
    public static Command Create()
    {
        var command = new Command("bench", "Time every operation of a training step against the device's peak and bandwidth.");
        var commandLine = new CommandLine(command, R.Bench);
        command.SetAction(parsed => Execute(commandLine, parsed));
        return command;
    }

    private static int Execute(CommandLine commandLine, ParseResult parsed)
    {
        OptionValues values = commandLine.ReadOrThrow(parsed);
        if (SimdChoice.RunNarrower(values) is { } exitCode)
        {
            return exitCode;
        }

        var choice = new DeviceChoice(values);
        TrainingOptions options = BudgetSettings.Resolve(values, TrainSettings.ToTrainingOptions(values, PlanCommand.LoadTokenizer(values)), choice).Options;
        Console.Error.WriteLine($"measuring {values.Get(R.Steps)} steps on {choice.Profile.Name}");
        using IDevice device = choice.Open();
        BenchmarkReport report;
        using (StageView progress = StageView.OnError())
        {
            choice.Say = progress.Say;
            report = Measure(values, options with { SampleTokens = 0 }, device, progress);
        }

        string filter = values.GetText(R.Filter) ?? string.Empty;
        if (values.Get(R.Json))
        {
            PlanCommand.WriteUtf8(BenchmarkReportJson.ToUtf8(report, filter));
        }
        else
        {
            ReportView.Write(report, filter);
        }

        return ExitCode.Success;
    }

    private static BenchmarkReport Measure(OptionValues values, TrainingOptions options, IDevice device, StageView progress)
    {
        int threads = (device.Profile as CpuProfile)?.Threads ?? 1;
        bool processorTime = values.Get(R.ProcessorTime);
        if (processorTime && (device.Profile is not CpuProfile || threads != 1))
        {
            throw new UsageException("--processor-time: several threads share it; needs --device cpu --threads 1");
        }

        using CpuDevice? oneThread = threads > 1 ? new CpuDevice(threads: 1) : null;
        return new StepBenchmark(device, DeviceText.Of(device), processorTime ? new HostClock(device, processorTime: true) : null)
        {
            IsProcessorTime = processorTime,
            OneThread = oneThread,
            Threads = threads,
            Progress = progress,
        }.Run(values.Get(T.Model), options, values.Get(R.Steps));
    }
}
