using System.Collections.Concurrent;

namespace QApollo.Data.Parquet;

/// <summary>
/// The rows of a parquet file from any row on. Several row groups are decoded at once, each a few megabytes ahead at most;
/// they come out in the file's order.
/// </summary>
internal sealed class ParquetRows : IDisposable
{
    private readonly CorpusFile _file;
    private readonly string _field;
    private readonly int _decoders;
    private readonly long[] _groupStarts;
    private readonly ConcurrentBag<ParquetTextColumn> _columns = [];
    private readonly Queue<RowGroupRead> _reads = new();
    private long _firstRow;
    private int _nextGroup;
    private long _textBytes;

    /// <param name="decoders">Row groups decoded at once.</param>
    /// <exception cref="InvalidFileException">The file is no parquet file with such a column, or has fewer rows.</exception>
    public ParquetRows(CorpusFile file, string field, long firstRow, int decoders)
    {
        _file = file;
        _field = field;
        _firstRow = firstRow;
        _decoders = decoders;
        ParquetTextColumn column = ParquetTextColumn.Open(file.Path, field);
        _columns.Add(column);
        _groupStarts = ParquetErrors.Named(file.Path, () =>
        {
            long[] starts = new long[column.RowGroups + 1];
            for (int group = 0; group < column.RowGroups; group++)
            {
                starts[group + 1] = starts[group] + column.Rows(group);
            }

            return starts;
        });
        if (firstRow > Count)
        {
            throw new InvalidFileException(file.Path, "the file is shorter than when its preparation began");
        }

        while (_nextGroup < column.RowGroups && _groupStarts[_nextGroup + 1] <= firstRow)
        {
            _nextGroup++;
        }
    }

    /// <summary>Rows of the file.</summary>
    public long Count => _groupStarts[^1];

    /// <summary>The next rows; false at the end.</summary>
    /// <exception cref="RunFailedException">The file is damaged, or expands beyond all measure.</exception>
    public bool TryTake(out RowBatch batch)
    {
        while (true)
        {
            while (_reads.Count < _decoders && _nextGroup < _groupStarts.Length - 1)
            {
                long skip = Math.Max(0, _firstRow - _groupStarts[_nextGroup]);
                _reads.Enqueue(new RowGroupRead(_file.Path, _nextGroup, skip, _columns, () => ParquetTextColumn.Open(_file.Path, _field)));
                _nextGroup++;
                _firstRow = 0;
            }

            if (!_reads.TryPeek(out RowGroupRead? read))
            {
                batch = default;
                return false;
            }

            if (read.TryTake(out batch))
            {
                _textBytes += batch.Texts.WrittenCount;
                DecompressedStream.CheckRatio(_file.Path, _textBytes, _file.Length);
                return true;
            }

            _reads.Dequeue().Dispose();
        }
    }

    public void Dispose()
    {
        foreach (RowGroupRead read in _reads)
        {
            read.Dispose();
        }

        foreach (ParquetTextColumn column in _columns)
        {
            column.Dispose();
        }
    }
}
