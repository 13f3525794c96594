using System.Text;

namespace QApollo.Cuda.Driver;

/// <summary>
/// The kernels, and their launch. Each is compiled by itself from its PTX when it is first used, by the driver, which keeps the result for
/// later starts: a run compiles what it launches, and that once.
/// </summary>
internal sealed unsafe class KernelModules : IDisposable
{
    private const int MaxDynamicSharedBytes = 8;
    private const int JitErrorLogBuffer = 5;
    private const int JitErrorLogBufferSizeBytes = 6;
    private const int DefaultSharedBytes = 48 << 10;

    private readonly CudaContext _context;
    private readonly Func<string, byte[]> _ptxSource;
    private readonly CompilationNotice _notice;
    private readonly Dictionary<Kernel, LoadedKernel> _kernels = new(ReferenceEqualityComparer.Instance);

    /// <param name="ptxSource">Gives the text of a kernel file, ending with a zero byte; by default <see cref="ReadPtx"/>.</param>
    /// <param name="compiling">Called once, while kernels are compiled.</param>
    public KernelModules(CudaContext context, Func<string, byte[]>? ptxSource = null, Action? compiling = null) =>
        (_context, _ptxSource, _notice) = (context, ptxSource ?? ReadPtx, new CompilationNotice(compiling));

    /// <summary>Names of the kernels that are loaded.</summary>
    public IEnumerable<string> Loaded => _kernels.Keys.Select(kernel => kernel.Name);

    private sealed class LoadedKernel(nint module, nint function)
    {
        public nint Module { get; } = module;

        public nint Function { get; } = function;

        public int GrantedSharedBytes { get; set; } = DefaultSharedBytes;
    }

    /// <summary>The text of a kernel file as it is embedded, ending with a zero byte.</summary>
    public static byte[] ReadPtx(string module)
    {
        using Stream stream = typeof(KernelModules).Assembly.GetManifestResourceStream($"ptx/{module}.ptx")
            ?? throw new CudaException($"the program was built without the kernels of {module}: run tools/kernels/build.py and build again");
        byte[] image = new byte[stream.Length + 1];
        stream.ReadExactly(image, 0, (int)stream.Length);
        return image;
    }

    /// <param name="grid">Blocks along x, y and z.</param>
    /// <param name="sharedBytes">Dynamic shared memory of a block.</param>
    public void Launch(Kernel kernel, (long X, int Y, int Z) grid, int sharedBytes, nint stream, ReadOnlySpan<KernelArgument> arguments)
    {
        if (arguments.Length != kernel.Parameters)
        {
            throw new ArgumentException($"{kernel.Name} takes {kernel.Parameters} arguments, not {arguments.Length}");
        }

        nint function = Prepare(kernel, sharedBytes);
        fixed (KernelArgument* slots = arguments)
        {
            void** pointers = stackalloc void*[arguments.Length];
            for (int i = 0; i < arguments.Length; i++)
            {
                pointers[i] = slots + i;
            }

            int status = _context.Driver.Table.LaunchKernel(
                function, checked((uint)grid.X), (uint)grid.Y, (uint)grid.Z, (uint)kernel.Threads, 1, 1, (uint)sharedBytes, stream, pointers, null);
            if (status != 0)
            {
                _context.Driver.Check(status, $"launching {kernel.Name}");
            }
        }
    }

    /// <summary>Whether <see cref="Prepare"/> has nothing left to do.</summary>
    public bool IsPrepared(Kernel kernel, int sharedBytes) =>
        _kernels.TryGetValue(kernel, out LoadedKernel? loaded) && sharedBytes <= loaded.GrantedSharedBytes;

    /// <summary>Loads a kernel, and lets it have so much shared memory.</summary>
    /// <returns>The driver's CUfunction.</returns>
    public nint Prepare(Kernel kernel, int sharedBytes)
    {
        LoadedKernel loaded = Load(kernel);
        if (sharedBytes > loaded.GrantedSharedBytes)
        {
            _context.Driver.Check(_context.Driver.Table.FunctionSetAttribute(loaded.Function, MaxDynamicSharedBytes, sharedBytes), "cuFuncSetAttribute");
            loaded.GrantedSharedBytes = sharedBytes;
        }

        return loaded.Function;
    }

    /// <summary>Address and bytes of a table in device memory that a kernel's file declares; each kernel has its own.</summary>
    public (nint Address, long Bytes) Global(Kernel kernel, string name)
    {
        ulong address;
        nuint bytes;
        fixed (byte* text = Terminated(name))
        {
            _context.Driver.Check(_context.Driver.Table.ModuleGetGlobal(&address, &bytes, Load(kernel).Module, text), "cuModuleGetGlobal");
        }

        return ((nint)address, (long)bytes);
    }

    private LoadedKernel Load(Kernel kernel)
    {
        if (_kernels.TryGetValue(kernel, out LoadedKernel? loaded))
        {
            return loaded;
        }

        nint module = LoadModule(kernel), function;
        fixed (byte* name = Terminated(kernel.Name))
        {
            int status = _context.Driver.Table.ModuleGetFunction(&function, module, name);
            if (status != 0)
            {
                _context.Driver.Table.ModuleUnload(module);
                _context.Driver.Check(status, $"finding the kernel {kernel.Name}");
            }
        }

        return _kernels[kernel] = new LoadedKernel(module, function);
    }

    private nint LoadModule(Kernel kernel)
    {
        nint module;
        byte[] log = new byte[4096];
        int* options = stackalloc int[] { JitErrorLogBuffer, JitErrorLogBufferSizeBytes };
        fixed (byte* image = PtxText.Only(_ptxSource(kernel.Module), kernel.Name), logBytes = log)
        {
            void** values = stackalloc void*[] { logBytes, (void*)log.Length };
            _notice.Begin();
            int status = _context.Driver.Table.ModuleLoadData(&module, image, 2, options, values);
            _notice.End();
            string text = Encoding.UTF8.GetString(log).TrimEnd('\0').ReplaceLineEndings(" ");
            _context.Driver.Check(status, $"compiling the kernel {kernel.Name} of {kernel.Module} {text}".TrimEnd());
        }

        return module;
    }

    private static byte[] Terminated(string name) => [.. Encoding.UTF8.GetBytes(name), 0];

    public void Dispose()
    {
        foreach (LoadedKernel kernel in _kernels.Values)
        {
            _context.Driver.Check(_context.Driver.Table.ModuleUnload(kernel.Module), "cuModuleUnload");
        }

        _kernels.Clear();
    }
}
