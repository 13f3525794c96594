using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace QApollo.Files;

/// <summary>
/// Memory on a disk: one file of a fixed size, which one thread reads into and writes from native memory in the order of the
/// requests, beside everything else. Explicit reads and writes instead of a mapping: a disk that fails is an exception then and
/// no signal, and a limit on addresses does not count the file. Nothing in it is kept, whatever ends the process: Windows removes
/// it with its last handle; elsewhere it loses its name as soon as it is there, and its space with its last handle.
/// </summary>
public sealed class ScratchFile : IDisposable
{
    private const int PieceBytes = 64 << 20;

    /// <summary>More than the places that layers are read to and written from have tensors. Whoever asks for more waits: a slow disk must not make a step allocate.</summary>
    private const int MaxRequests = 256;

    private readonly SafeFileHandle _handle;
    private readonly bool _hasName;
    private readonly Thread _thread;
    private readonly Queue<Request> _requests = new(MaxRequests);
    private long _asked;
    private long _done;
    private Exception? _failure;
    private bool _isClosing;

    /// <summary>Makes the file under a name that is free, and reserves its space. What is there already is left alone.</summary>
    /// <exception cref="RunFailedException">Something has the name, the disk has too little space, or the folder cannot be written.</exception>
    public ScratchFile(string path, long bytes)
        : this(path, bytes, "name another place with --layer-file")
    {
    }

    private ScratchFile(string path, long bytes, string remedy)
    {
        Path = path;
        Bytes = bytes;
        try
        {
            _handle = File.OpenHandle(
                path, FileMode.CreateNew, FileAccess.ReadWrite, FileShare.None, OperatingSystem.IsWindows() ? FileOptions.DeleteOnClose : FileOptions.None, bytes);
            _hasName = !OperatingSystem.IsWindows() && !TryDelete();
            RandomAccess.SetLength(_handle, bytes);
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            Close();
            throw new RunFailedException(
                _handle is null && HasEntry(path)
                    ? $"{path} is there already and left alone; layers on disk need a name that is free: name another with --layer-file"
                    : FormattableString.Invariant($"{path}: {bytes:N0} bytes for layers on disk cannot be had there: {exception.Message.TrimEnd('.')}; {remedy}"),
                exception);
        }

        _thread = new Thread(Work) { IsBackground = true, Name = "layers on disk" };
        _thread.Start();
    }

    public string Path { get; }

    public long Bytes { get; }

    /// <summary>Makes the file in the system's folder for temporary files.</summary>
    /// <exception cref="RunFailedException">The disk has too little space, or the folder cannot be written.</exception>
    public static ScratchFile Temporary(long bytes) => new(
        System.IO.Path.Combine(System.IO.Path.GetTempPath(), $"qapollo-layers-{Guid.NewGuid():N}"),
        bytes,
        $"another folder for temporary files is named by {(OperatingSystem.IsWindows() ? "TMP" : "TMPDIR")}");

    /// <summary>Asks for a read from the file into native memory, which nothing may touch until it is done.</summary>
    /// <returns>For <see cref="Wait"/>.</returns>
    public long Read(long offset, nint target, long bytes) => Ask(new Request(offset, target, bytes, IsWrite: false));

    /// <summary>Asks for a write from native memory, which nothing may change until it is done.</summary>
    /// <returns>For <see cref="Wait"/>.</returns>
    public long Write(long offset, nint source, long bytes) => Ask(new Request(offset, source, bytes, IsWrite: true));

    /// <summary>Reads once all requests so far are done.</summary>
    /// <exception cref="RunFailedException">The disk fails.</exception>
    public void ReadNow(long offset, Span<byte> target)
    {
        Wait(_asked);
        Require(TryMove(offset, target, isWrite: false));
    }

    /// <summary>Writes once all requests so far are done.</summary>
    /// <exception cref="RunFailedException">The disk fails.</exception>
    public void WriteNow(long offset, ReadOnlySpan<byte> source)
    {
        Wait(_asked);

        // Only written from.
        Require(TryMove(offset, MemoryMarshal.CreateSpan(ref MemoryMarshal.GetReference(source), source.Length), isWrite: true));
    }

    /// <summary>Waits until the request and all before it are done.</summary>
    /// <exception cref="RunFailedException">The disk fails.</exception>
    public void Wait(long request)
    {
        lock (_requests)
        {
            while (_done < request && _failure is null)
            {
                Monitor.Wait(_requests);
            }

            Require(_failure);
        }
    }

    public void Dispose()
    {
        lock (_requests)
        {
            _isClosing = true;
            Monitor.PulseAll(_requests);
        }

        _thread.Join();
        Close();
    }

    private void Close()
    {
        _handle?.Dispose();
        if (_hasName)
        {
            TryDelete();
        }
    }

    private bool TryDelete()
    {
        try
        {
            File.Delete(Path);
            return true;
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            return false;
        }
    }

    /// <summary>Also of links that lead nowhere.</summary>
    private static bool HasEntry(string path) => System.IO.Path.Exists(path) || new FileInfo(path).LinkTarget is not null;

    private long Ask(in Request request)
    {
        lock (_requests)
        {
            while (_requests.Count == MaxRequests)
            {
                Monitor.Wait(_requests);
            }

            _requests.Enqueue(request);
            Monitor.PulseAll(_requests);
            return ++_asked;
        }
    }

    private void Work()
    {
        while (true)
        {
            Request request;
            lock (_requests)
            {
                while (_requests.Count == 0 && !_isClosing)
                {
                    Monitor.Wait(_requests);
                }

                if (_isClosing)
                {
                    return;
                }

                request = _requests.Dequeue();
            }

            Exception? failure = TryRun(request);
            lock (_requests)
            {
                _failure ??= failure;
                _done++;
                Monitor.PulseAll(_requests);
            }
        }
    }

    private Exception? TryRun(in Request request)
    {
        Exception? failure = null;
        for (long done = 0; done < request.Bytes && failure is null; done += PieceBytes)
        {
            // The address as a reference: the memory is the caller's, and not the collector's to move.
            Span<byte> piece = MemoryMarshal.CreateSpan(
                ref Unsafe.AddByteOffset(ref Unsafe.NullRef<byte>(), request.Address + (nint)done), (int)Math.Min(PieceBytes, request.Bytes - done));
            failure = TryMove(request.Offset + done, piece, request.IsWrite);
        }

        return failure;
    }

    private Exception? TryMove(long offset, Span<byte> memory, bool isWrite)
    {
        try
        {
            if (isWrite)
            {
                RandomAccess.Write(_handle, memory, offset);
                return null;
            }

            for (int done = 0; done < memory.Length;)
            {
                int read = RandomAccess.Read(_handle, memory[done..], offset + done);
                done += read > 0 ? read : throw new EndOfStreamException("the file ends before its size");
            }

            return null;
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            return exception;
        }
    }

    private void Require(Exception? failure)
    {
        if (failure is not null)
        {
            throw new RunFailedException($"{Path}: layers on disk: {failure.Message}", failure);
        }
    }

    private readonly record struct Request(long Offset, nint Address, long Bytes, bool IsWrite);
}
