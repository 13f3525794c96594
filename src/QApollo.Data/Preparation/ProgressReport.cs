using System.Diagnostics;

namespace QApollo.Data;

/// <summary>Collects counts from several threads and passes them on, not more than about ten times a second.</summary>
internal sealed class ProgressReport(IProgress<PreparationProgress>? progress)
{
    private static readonly TimeSpan Interval = TimeSpan.FromSeconds(0.1);

    private readonly Lock _lock = new();
    private readonly Stopwatch _watch = new();
    private PreparationProgress _current;
    private TimeSpan _reported;

    /// <param name="resumed">What an earlier run of the phase did.</param>
    public void Begin(PreparationPhase phase, long bytesTotal, PreparationState? resumed = null)
    {
        lock (_lock)
        {
            _watch.Restart();
            _reported = -Interval;
            long tokens = resumed is null ? 0 : resumed.Train.Tokens + resumed.HeldOut.Tokens;
            long bytes = resumed?.SourceBytes ?? 0;
            long text = resumed?.TextBytes ?? 0;
            _current = new PreparationProgress(
                phase, bytes, bytesTotal, resumed?.Documents ?? 0, text, tokens, bytes, text, tokens, TimeSpan.Zero);
        }
    }

    /// <summary>So many more bytes of files.</summary>
    public void Read(long bytes)
    {
        lock (_lock)
        {
            Report(_current with { BytesDone = _current.BytesDone + bytes });
        }
    }

    public void Tokenized(long sourceBytes, long documents, long textBytes, long tokens)
    {
        lock (_lock)
        {
            Report(_current with { BytesDone = sourceBytes, Documents = documents, TextBytes = textBytes, Tokens = tokens });
        }
    }

    private void Report(PreparationProgress next)
    {
        _current = next with { Elapsed = _watch.Elapsed };
        if (_current.BytesDone == _current.BytesTotal || _current.Elapsed - _reported >= Interval)
        {
            _reported = _current.Elapsed;
            progress?.Report(_current);
        }
    }
}
