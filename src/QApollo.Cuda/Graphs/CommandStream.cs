using QApollo.Cuda.Blas;
using QApollo.Cuda.Driver;

namespace QApollo.Cuda.Graphs;

/// <summary>
/// The stream of all operations. Outside of segments, commands go to the driver as they come. Within one they are
/// gathered into graphs; <see cref="Cut"/> ends one graph and begins the next, around what no graph holds: waits,
/// uploads, and transfers on the other stream.
/// </summary>
internal sealed class CommandStream(Submission submission, bool useGraphs) : IDisposable
{
    private readonly Dictionary<int, List<GraphPiece>> _segments = [];
    private List<GraphPiece>? _segment;
    private GraphPiece? _piece;
    private int _pieces;

    public void Launch(Kernel kernel, (long X, int Y, int Z) grid, int sharedBytes, ReadOnlySpan<KernelArgument> arguments) =>
        Add(new Command(CommandKind.Kernel, kernel, grid, sharedBytes), arguments);

    public void Copy(nint source, nint target, long bytes) => Add(new Command(CommandKind.Copy), [source, target, bytes]);

    public void Fill(nint target, byte value, long bytes) => Add(new Command(CommandKind.Fill), [target, (int)value, bytes]);

    public void Multiply(LtProduct product, nint a, nint b, nint addend, nint result, nint workspace) =>
        Add(new Command(CommandKind.Product, Product: product), [a, b, addend, result, workspace]);

    public void BeginSegment(int number)
    {
        // An exception may have left one open.
        EndSegment();
        if (!useGraphs)
        {
            return;
        }

        if (!_segments.TryGetValue(number, out _segment))
        {
            _segments[number] = _segment = [];
        }

        _pieces = 0;
    }

    public void EndSegment()
    {
        Cut();
        _segment = null;
    }

    /// <summary>All commands so far are with the driver when this returns.</summary>
    public void Cut()
    {
        GraphPiece? piece = _piece;
        _piece = null;
        piece?.End();
    }

    public void Dispose()
    {
        foreach (List<GraphPiece> segment in _segments.Values)
        {
            segment.ForEach(piece => piece.Dispose());
        }

        _segments.Clear();
        (_segment, _piece) = (null, null);
    }

    private void Add(in Command command, ReadOnlySpan<KernelArgument> arguments)
    {
        if (_segment is null)
        {
            submission.Submit(command, arguments);
            return;
        }

        if (_piece is null)
        {
            if (_pieces == _segment.Count)
            {
                _segment.Add(new GraphPiece(submission));
            }

            _piece = _segment[_pieces++];
            _piece.Begin();
        }

        _piece.Add(command, arguments);
    }
}
