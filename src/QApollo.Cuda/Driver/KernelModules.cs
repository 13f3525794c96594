using System.Text;

namespace QApollo.Cuda.Driver;

/// <summary>The PTX of the kernels, compiled by the driver when first used (and cached by it between runs), and their launch.</summary>
internal sealed unsafe class KernelModules : IDisposable
{
    private const int MaxDynamicSharedBytes = 8;
    private const int JitErrorLogBuffer = 5;
    private const int JitErrorLogBufferSizeBytes = 6;
    private const int DefaultSharedBytes = 48 << 10;

    private readonly CudaContext _context;
    private readonly Func<string, byte[]> _ptxSource;
    private readonly Dictionary<string, nint> _modules = [];
    private readonly Dictionary<Kernel, LoadedKernel> _kernels = new(ReferenceEqualityComparer.Instance);

    /// <param name="ptxSource">Gives a module's text, ending with a zero byte; by default <see cref="ReadPtx"/>.</param>
    public KernelModules(CudaContext context, Func<string, byte[]>? ptxSource = null) => (_context, _ptxSource) = (context, ptxSource ?? ReadPtx);

    private sealed class LoadedKernel(nint function)
    {
        public nint Function { get; } = function;

        public int GrantedSharedBytes { get; set; } = DefaultSharedBytes;
    }

    /// <summary>The text of a module as it is embedded, ending with a zero byte.</summary>
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

    /// <summary>Address and bytes of a table in device memory that a module declares.</summary>
    public (nint Address, long Bytes) Global(string module, string name)
    {
        ulong address;
        nuint bytes;
        fixed (byte* text = Terminated(name))
        {
            _context.Driver.Check(_context.Driver.Table.ModuleGetGlobal(&address, &bytes, Module(module), text), "cuModuleGetGlobal");
        }

        return ((nint)address, (long)bytes);
    }

    private LoadedKernel Load(Kernel kernel)
    {
        if (!_kernels.TryGetValue(kernel, out LoadedKernel? loaded))
        {
            nint function;
            fixed (byte* name = Terminated(kernel.Name))
            {
                int status = _context.Driver.Table.ModuleGetFunction(&function, Module(kernel.Module), name);
                _context.Driver.Check(status, $"finding the kernel {kernel.Name}");
            }

            _kernels[kernel] = loaded = new LoadedKernel(function);
        }

        return loaded;
    }

    private nint Module(string name)
    {
        if (!_modules.TryGetValue(name, out nint module))
        {
            byte[] log = new byte[4096];
            int* options = stackalloc int[] { JitErrorLogBuffer, JitErrorLogBufferSizeBytes };
            fixed (byte* image = _ptxSource(name), logBytes = log)
            {
                void** values = stackalloc void*[] { logBytes, (void*)log.Length };
                int status = _context.Driver.Table.ModuleLoadData(&module, image, 2, options, values);
                string text = Encoding.UTF8.GetString(log).TrimEnd('\0').ReplaceLineEndings(" ");
                _context.Driver.Check(status, $"compiling the kernels of {name} {text}".TrimEnd());
            }

            _modules[name] = module;
        }

        return module;
    }

    private static byte[] Terminated(string name) => [.. Encoding.UTF8.GetBytes(name), 0];

    public void Dispose()
    {
        foreach (nint module in _modules.Values)
        {
            _context.Driver.Check(_context.Driver.Table.ModuleUnload(module), "cuModuleUnload");
        }

        _modules.Clear();
        _kernels.Clear();
    }
}
