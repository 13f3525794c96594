using System.Globalization;
using QApollo.Cpu;
using QApollo.Cuda;
using QApollo.Cuda.Blas;
using QApollo.Cuda.Driver;
using QApollo.Devices;
using QApollo.Memory;
using T = QApollo.Cli.Options.TrainOptionTable;

namespace QApollo.Cli.Options;

/// <summary>The device that --device names: its sizes, the device itself, and what memory it has free.</summary>
internal sealed class DeviceChoice
{
    public const string Auto = "auto";

    private readonly int _threads;
    private readonly bool _usesNccl;
    private readonly CudaOptions _cuda;
    private readonly int _ordinal = -1;
    private readonly TorchChoice? _torch;
    private readonly string? _torchFolder;

    /// <param name="text">As --device takes it; null for what --device has.</param>
    /// <param name="isPlan">Nothing will be computed: the answer depends on the options alone, not on a cuBLASLt that happens to be here.</param>
    /// <param name="coreSharers">Processes of the run on the same cores.</param>
    /// <param name="ranks">Processes of the run.</param>
    /// <exception cref="UsageException">There is no such device.</exception>
    public DeviceChoice(OptionValues values, string? text = null, bool isPlan = false, int coreSharers = 1, int ranks = 1)
    {
        _usesNccl = ranks > 1 && values.Get(T.Exchange) != GradientExchange.Host;
        text ??= values.Get(T.Device);
        int threads = values.Get(DataOptionTable.Threads);
        _cuda = ToCudaOptions(values) with { Compiling = card => Say(CompilingLine(card)) };
        _threads = threads == 0 ? Math.Max(1, Environment.ProcessorCount / coreSharers) : threads;
        _torch = TorchChoice.Parse(text);
        _torchFolder = values.GetText(T.LibTorch);
        string[] parts = text.Split(':');
        bool isCuda = parts[0] == "cuda" && parts.Length <= 2;
        string ordinal = parts.Length == 2 ? parts[1] : "0";
        if (isCuda && int.TryParse(ordinal, NumberStyles.None, CultureInfo.InvariantCulture, out int number))
        {
            _ordinal = number;
        }
        else if (text == Auto)
        {
            CudaSearch search = CudaSearch.Run();
            _ordinal = search.Card?.Ordinal ?? -1;
            WhyNotGpu = search.WhyNot;
        }
        else if (text != "cpu" && _torch is null)
        {
            throw new UsageException($"--device: '{text}' is not known; it takes auto, cpu, cuda, or cuda:0, cuda:1, ..., torch, torch:cuda, torch:cuda:1");
        }

        RequireLibraries(values);
        bool isFound = _cuda.Gemm == GemmChoice.Auto && !isPlan && _ordinal >= 0 && CublasLtLibrary.Find(_cuda.CublasLtPath) is not null;
        UsesCublasLt = _ordinal >= 0 && (_cuda.Gemm == GemmChoice.CublasLt || isFound);
    }

    /// <summary>The device in force as --device takes it: cpu, cuda:n, torch, or torch:cuda:n.</summary>
    public string Name => _torch is not null ? _torch.Name : _ordinal >= 0 ? string.Create(CultureInfo.InvariantCulture, $"cuda:{_ordinal}") : "cpu";

    /// <summary>Where what an opened device has to say goes; standard error unless a view is on the screen.</summary>
    public Action<string> Say { get; set; } = Console.Error.WriteLine;

    /// <summary>Why `auto` passed over a GPU; null where it did not, and where there is no driver.</summary>
    public string? WhyNotGpu { get; }

    /// <summary>Whether cuBLASLt may multiply: the plan counts what it needs.</summary>
    public bool UsesCublasLt { get; }

    /// <summary>What the memory plan must know; asks no driver.</summary>
    public DeviceProfile Profile => _torch is not null ? _torch.Profile : _ordinal >= 0 ? new CudaProfile(UsesCublasLt, _usesNccl) : new CpuProfile(_threads);

    public IDevice Open() => _torch is not null ? _torch.Open(_threads, _torchFolder)
        : _ordinal >= 0 ? CudaDevice.Open(_ordinal, options: _cuda) : new CpuDevice(_threads);

    /// <summary>The device for a command that needs no plan beforehand; says so when a GPU was passed over.</summary>
    public static IDevice OpenFor(OptionValues values)
    {
        // A model in use has few products that are large, and no memory planned for cuBLASLt.
        values.Set(T.Gemm, GemmChoice.Own);
        var choice = new DeviceChoice(values);
        if (choice.WhyNotGpu is not null)
        {
            Console.Error.WriteLine($"device: {choice.Name} ({choice.WhyNotGpu})");
        }

        return choice.Open();
    }

    /// <summary>One line about an opened device, and why it is no other.</summary>
    public string Describe(IDevice device)
    {
        string found = device is CudaDevice { Card: { } card }
            ? string.Create(
                CultureInfo.InvariantCulture,
                $"{card.Name}, {ByteSize.Format(card.TotalBytes)}, compute capability {card.CapabilityMajor}.{card.CapabilityMinor}")
            : _torch is { Ordinal: >= 0 } ? "by libtorch"
            : string.Create(CultureInfo.InvariantCulture, $"{_threads} thread{(_threads == 1 ? string.Empty : "s")}");
        return $"{Name}, {found}{(WhyNotGpu is null ? string.Empty : $" ({WhyNotGpu})")}";
    }

    /// <summary>Bytes that a plan may take now, the driver's context included.</summary>
    public long FreeBytes()
    {
        int ordinal = _torch?.Ordinal ?? _ordinal;
        if (ordinal < 0)
        {
            return FreeHostBytes();
        }

        if (_torch is not null)
        {
            return CudaCard.FreeBytes(ordinal);
        }

        // The driver counts after it made a context here, which the plan counts too.
        using var device = CudaDevice.Open(ordinal, options: new CudaOptions());
        return device.MemoryInfo().Free + device.Profile.ContextBytes;
    }

    /// <summary>Why the first start takes longer.</summary>
    public static string CompilingLine(CudaCard card) => $"compiling kernels for {card.Name}, once";

    /// <summary>A run that began on one device may go on elsewhere with another: of what its run.json names, only what is used must be there.</summary>
    private void RequireLibraries(OptionValues values)
    {
        if (_cuda.CublasLtPath is { } library && (values.IsTyped(T.CublasLt) || _ordinal >= 0) && !File.Exists(library))
        {
            throw new UsageException($"{T.CublasLt.Name}: {library}: no such file");
        }

        if (_torchFolder is not null && (values.IsTyped(T.LibTorch) || _torch is not null) && !Directory.Exists(_torchFolder))
        {
            throw new UsageException($"{T.LibTorch.Name}: {_torchFolder}: no such folder");
        }
    }

    private static CudaOptions ToCudaOptions(OptionValues values) => new()
    {
        UseGraphs = !values.Get(T.NoCudaGraphs),
        Gemm = values.Get(T.Gemm),
        CublasLtPath = values.GetText(T.CublasLt),
        ProductsByCublasLt = values.IsGiven(T.GemmProducts) ? [.. values.Get(T.GemmProducts).Select(ToProduct)] : null,
    };

    private static ProductShape ToProduct(string text) => ProductShape.TryParse(text, out ProductShape product)
        ? product
        : throw new UsageException($"--gemm-products: '{text}' is no product; copy them from a run.json: {new ProductShape(ProductKind.Forward, 2048, 4096, 4096, DType.U8, 128, DType.BF16)}");

    /// <summary>Ordinary memory that is free on this machine, or under the limit of its container.</summary>
    public static long FreeHostBytes()
    {
        // The first collection fills the figures.
        GC.Collect(0);
        GCMemoryInfo memory = GC.GetGCMemoryInfo();
        return Math.Max(0, memory.TotalAvailableMemoryBytes - memory.MemoryLoadBytes);
    }
}
