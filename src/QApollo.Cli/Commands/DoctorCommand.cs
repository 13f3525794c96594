using System.CommandLine;
using System.Globalization;
using System.Runtime.InteropServices;
using QApollo.Cli.Options;
using QApollo.Cli.Views;
using QApollo.Cpu;
using QApollo.Cuda;
using QApollo.Cuda.Blas;
using QApollo.Cuda.Driver;
using QApollo.Cuda.Management;
using QApollo.Devices;
using QApollo.Diagnostics;
using QApollo.Training.Planning;
using T = QApollo.Cli.Options.TrainOptionTable;

namespace QApollo.Cli.Commands;

/// <summary>`qapollo doctor`: what this machine has, what it can train, and whether its devices compute what they should.</summary>
internal static class DoctorCommand
{
    private const string AllDevices = "all";
    private const int FitLength = 1024;
    private const int ShownFits = 3;

    private static readonly OptionSpec<string> Device = Spec.Text(
        "--device", "Run", "The device to look at.", "all, cpu, cuda (the first GPU), cuda:N (N counts from 0), torch, torch:cuda, torch:cuda:N", AllDevices);

    private static readonly OptionSpec<string> OutputDir = Spec.Folder("--output-dir", "Run", "Folder whose disk space is told.", "checkpoints");

    public static Command Create()
    {
        var command = new Command("doctor", "Look at this machine and its devices, and test them.");
        var commandLine = new CommandLine(command, [Device, T.LibTorch, T.CublasLt, DataOptionTable.Threads, SimdChoice.Option, OutputDir, ModelOptionTable.Json]);
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

        DoctorReport report = Examine(values, AskedDevice(values));
        if (values.Get(ModelOptionTable.Json))
        {
            PlanCommand.WriteUtf8(DoctorReportJson.ToUtf8(report));
        }
        else
        {
            ReportView.Write(report);
        }

        return report.IsHealthy ? ExitCode.Success : ExitCode.Failure;
    }

    /// <summary>With its number; null for all.</summary>
    private static string? AskedDevice(OptionValues values)
    {
        string text = values.Get(Device);
        return text is AllDevices or "auto" ? null : new DeviceChoice(new OptionValues([]), text, isPlan: true).Name;
    }

    private static DoctorReport Examine(OptionValues values, string? asked)
    {
        var survey = CudaSurvey.Take();
        var devices = new List<DeviceDiagnosis>();
        if (asked is null or "cpu")
        {
            devices.Add(ExamineCpu(values.Get(DataOptionTable.Threads)));
        }

        devices.AddRange(survey.Cards.Where(card => asked is null || asked == NameOf(card)).Select(ExamineCard));
        if (asked is not null && TorchChoice.Parse(asked) is { } torch)
        {
            devices.Add(ExamineTorch(values, torch));
        }
        else if (asked is not null && devices.Count == 0)
        {
            devices.Add(new DeviceDiagnosis(asked, "GPU", survey.Problem ?? $"there is no such GPU: the driver sees {survey.Cards.Count}, numbered from 0"));
        }

        return new DoctorReport
        {
            Machine =
            [
                .. MachineFindings.Of(DeviceChoice.FreeHostBytes(), values.Get(OutputDir)),
                new Finding("processor", "processor", CpuFeatures.ProcessorName),
                new Finding("vectorInstructions", "vector instructions", string.Join(", ", CpuFeatures.Names)),
                new Finding("simd", "in use by the CPU device", CpuFeatures.Word(CpuFeatures.Level)),
            ],
            GpuSoftware = [.. GpuSoftware(survey, values.GetText(T.CublasLt))],
            Devices = devices,
            Notes = survey.DriverVersion is not null && OperatingSystem.IsWindows() ? [DoctorText.SharedMemoryNote] : [],
            AskedDevice = asked,
        };
    }

    /// <summary>The driver and the libraries that a GPU would use, found or not.</summary>
    private static IEnumerable<Finding> GpuSoftware(CudaSurvey survey, string? cublasLtPath)
    {
        yield return new Finding(
            "driver", "NVIDIA driver", survey.Problem ?? $"supports CUDA {CudaCard.VersionText(survey.DriverVersion!.Value)}, sees {survey.Cards.Count} GPU{(survey.Cards.Count == 1 ? string.Empty : "s")}");
        if (survey.DriverVersion is { } version)
        {
            yield return new Finding("cudaVersion", "CUDA version of the driver", CudaCard.VersionText(version), version);
        }

        yield return new Finding("cublasLt", "cuBLASLt", CublasLtLibrary.Find(cublasLtPath)?.Path ?? "not found, and not needed: the program's own kernels multiply");
    }

    private static DeviceDiagnosis ExamineCpu(int threads)
    {
        using var device = new CpuDevice(threads);
        long free = DeviceChoice.FreeHostBytes();
        return new DeviceDiagnosis("cpu", CpuFeatures.ProcessorName, Problem: null)
        {
            BudgetBytes = free,
            FitLength = FitLength,
            Fits = PresetFit.Largest(device.Profile, new MemoryBudget(free, free), FitLength, ShownFits),
            Checks = SelfTest.Run(device, reference: null),
        };
    }

    private static DeviceDiagnosis ExamineTorch(OptionValues values, TorchChoice torch)
    {
        var diagnosis = new DeviceDiagnosis(torch.Name, "libtorch", Problem: null);
        try
        {
            var choice = new DeviceChoice(values, torch.Name);
            using IDevice device = choice.Open();
            using var cpu = new CpuDevice();
            long free = choice.FreeBytes();
            return diagnosis with
            {
                BudgetBytes = free,
                FitLength = FitLength,
                Fits = PresetFit.Largest(device.Profile, new MemoryBudget(free, DeviceChoice.FreeHostBytes()), FitLength, ShownFits),
                Checks = SelfTest.Run(device, cpu),
            };
        }
        catch (Exception exception) when (exception is RunFailedException or CudaException or UsageException or OutOfMemoryException or ExternalException)
        {
            return diagnosis with { Problem = ErrorReport.Message(exception) };
        }
    }

    private static DeviceDiagnosis ExamineCard(CudaCard card)
    {
        var diagnosis = new DeviceDiagnosis(NameOf(card), card.Name, card.Problem)
        {
            Findings =
            [
                new Finding("computeCapability", "compute capability", $"{card.CapabilityMajor}.{card.CapabilityMinor}"),
                Finding.OfBytes("totalBytes", "memory", card.TotalBytes),
            ],
        };
        if (card.Problem is not null)
        {
            return diagnosis;
        }

        try
        {
            var options = new CudaOptions { Compiling = compiled => Console.Error.WriteLine(DeviceChoice.CompilingLine(compiled)) };
            using var device = CudaDevice.Open(card.Ordinal, options: options);
            long free = device.MemoryInfo().Free;
            long budget = free + device.Profile.ContextBytes;
            return diagnosis with
            {
                Findings = [.. diagnosis.Findings, Finding.OfBytes("freeBytes", "memory, free", free), .. Sensors(card)],
                BudgetBytes = budget,
                FitLength = FitLength,
                Fits = PresetFit.Largest(device.Profile, new MemoryBudget(budget, DeviceChoice.FreeHostBytes()), FitLength, ShownFits),
                Checks = TestCard(device),
            };
        }
        catch (CudaException exception)
        {
            return diagnosis with { Problem = exception.Message };
        }
    }

    /// <summary>What the management library tells of the card; nothing without one.</summary>
    private static IEnumerable<Finding> Sensors(CudaCard card)
    {
        using CardSensors? sensors = CardSensors.TryOpen(card.PciBusId);
        if (sensors?.Read() is not { } reading)
        {
            yield break;
        }

        (string Key, string Label, double Value, string Unit)[] all =
        [
            ("temperature", "temperature", reading.Temperature, "°C"), ("power", "power", reading.Power, "W"), ("clock", "clock", reading.Clock, "MHz"),
            ("memoryClock", "clock of the memory", reading.MemoryClock, "MHz"), ("energy", "energy since the driver began", reading.Energy, "J"),
        ];
        foreach ((string key, string label, double value, string unit) in all.Where(entry => !double.IsNaN(entry.Value)))
        {
            yield return new Finding(key, label, string.Create(CultureInfo.InvariantCulture, $"{value:N0} {unit}"), (long)value);
        }
    }

    /// <summary>A driver that fails within the test is a failed test.</summary>
    private static IReadOnlyList<SelfTestCheck> TestCard(CudaDevice device)
    {
        using var cpu = new CpuDevice();
        try
        {
            return SelfTest.Run(device, cpu);
        }
        catch (Exception exception) when (exception is CudaException or OutOfMemoryException or RunFailedException)
        {
            return [new SelfTestCheck("self-test", double.NaN, 0, exception.Message)];
        }
    }

    private static string NameOf(CudaCard card) => $"cuda:{card.Ordinal}";
}
