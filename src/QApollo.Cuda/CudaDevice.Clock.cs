using QApollo.Devices;

namespace QApollo.Cuda;

// Timing by events in the stream: the GPU notes the moments itself, the host never waits.
public sealed partial class CudaDevice : IOperationClock
{
    private readonly List<nint> _marks = [];
    private int _usedMarks;

    public int Mark()
    {
        _context.MakeCurrent();
        if (_usedMarks == _marks.Count)
        {
            _marks.Add(_context.CreateEvent(timed: true));
        }

        _commands.Cut();
        _context.Record(_marks[_usedMarks], _stream);
        return _usedMarks++;
    }

    public double Seconds(int first, int second)
    {
        _context.MakeCurrent();
        return _context.ElapsedMilliseconds(_marks[first], _marks[second]) * 1e-3;
    }

    public void ClearMarks() => _usedMarks = 0;

    private void DestroyMarks()
    {
        foreach (nint mark in _marks)
        {
            _context.DestroyEvent(mark);
        }

        _marks.Clear();
    }
}
