using QApollo.Cuda.Driver;

namespace QApollo.Cuda.Graphs;

/// <summary>
/// Commands that follow each other in every step without a wait between. The first pass runs them one by one, which
/// loads their kernels; the second captures them into a graph; later passes compare, change what differs in numbers, and
/// launch the graph. A pass that differs in more runs one by one again, and the next one is captured anew.
/// </summary>
internal sealed class GraphPiece(Submission submission) : IDisposable
{
    /// <summary>Captures in a row without one pass that could use the graph, after which the commands are taken to vary.</summary>
    private const int MaxCaptures = 3;

    private readonly Recording _recording = new();
    private CudaGraph? _graph;
    private Pass _pass;
    private int _position;
    private int _captures;
    private bool _hasRun;

    private enum Pass
    {
        OneByOne,
        Capture,
        Compare,
    }

    public void Begin()
    {
        _position = 0;
        _pass = _graph is not null ? Pass.Compare : _hasRun && _captures < MaxCaptures ? Pass.Capture : Pass.OneByOne;
        if (_pass == Pass.Capture)
        {
            _captures++;
            _recording.Clear();
            CudaGraph.BeginCapture(submission.Context, submission.Stream);
        }
    }

    public void Add(in Command command, ReadOnlySpan<KernelArgument> arguments)
    {
        bool isTaken = _pass switch
        {
            Pass.Capture => TryCapture(command, arguments),
            Pass.Compare => TryMatch(command, arguments),
            _ => false,
        };
        if (!isTaken)
        {
            RunSoFar();
            submission.Submit(command, arguments);
        }
    }

    /// <summary>All commands of the pass were added.</summary>
    public void End()
    {
        _hasRun = true;
        bool isNew = _pass == Pass.Capture;
        if (isNew)
        {
            TryInstantiate();
        }

        if (_graph is not null && _position == _recording.Count)
        {
            _captures = isNew ? _captures : 0;
            _graph.Launch(submission.Stream);
        }
        else
        {
            RunSoFar();
        }
    }

    public void Dispose()
    {
        if (_pass == Pass.Capture)
        {
            CudaGraph.DropCapture(submission.Context, submission.Stream);
        }

        _graph?.Dispose();
        _graph = null;
        _pass = Pass.OneByOne;
    }

    private bool TryCapture(in Command command, ReadOnlySpan<KernelArgument> arguments)
    {
        if (!submission.IsPrepared(command))
        {
            return false;
        }

        try
        {
            submission.Submit(command, arguments);
            _recording.Add(command, arguments, CudaGraph.LastNode(submission.Context, submission.Stream));
        }
        catch (CudaException)
        {
            // Whatever is wrong with the command itself, running it will tell.
            return false;
        }

        _position++;
        return true;
    }

    private bool TryMatch(in Command command, ReadOnlySpan<KernelArgument> arguments)
    {
        if (_position == _recording.Count)
        {
            return false;
        }

        if (!_recording.Matches(_position, command, arguments) && !TryUpdate(command, arguments))
        {
            return false;
        }

        _position++;
        return true;
    }

    private bool TryUpdate(in Command command, ReadOnlySpan<KernelArgument> arguments)
    {
        if (command.Kind != CommandKind.Kernel || !_recording[_position].IsVariantOf(command))
        {
            return false;
        }

        try
        {
            submission.Update(_graph!, _recording.Node(_position), command, arguments);
        }
        catch (CudaException)
        {
            // Not every change fits into a graph; the command runs by itself then.
            return false;
        }

        _recording.Replace(_position, command, arguments);
        return true;
    }

    private void TryInstantiate()
    {
        _pass = Pass.Compare;
        try
        {
            _graph = CudaGraph.EndCapture(submission.Context, submission.Stream);
        }
        catch (CudaException)
        {
            // Without memory for the graph, say, its commands run one by one.
            _captures = MaxCaptures;
        }
    }

    /// <summary>Runs what the pass has captured or compared, and is of no more use as a graph.</summary>
    private void RunSoFar()
    {
        int count = _position;
        if (_pass != Pass.OneByOne)
        {
            Dispose();
            _position = 0;
            for (int i = 0; i < count; i++)
            {
                submission.Submit(_recording[i], _recording.Arguments(i));
            }
        }
    }
}
