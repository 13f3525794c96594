using System.Buffers;
using System.Collections.Concurrent;
using CommunityToolkit.HighPerformance.Buffers;
using ParquetSharp;

namespace QApollo.Data.Parquet;

/// <summary>Rows of one row group: texts one behind the other, and the length of each, or why it is not there.</summary>
internal readonly record struct RowBatch(ArrayPoolBufferWriter<byte> Texts, IReadOnlyList<int> Lengths)
{
    public const int Null = -1;

    /// <summary>More than <see cref="ChunkReader.MaxLineBytes"/>.</summary>
    public const int TooLong = -2;
}

/// <summary>One row group that is decoded by a thread of its own, a few batches ahead of whoever takes them.</summary>
internal sealed class RowGroupRead : IDisposable
{
    /// <summary>Rows of a batch at most: nulls and empty texts, of which a few bytes of a file can hold billions, have no bytes to count.</summary>
    private const int MaxRows = 1 << 16;

    private const int BatchesAhead = 3;
    private const int ValuesAtOnce = 64;

    private readonly BlockingCollection<RowBatch> _batches = new(BatchesAhead);
    private readonly CancellationTokenSource _stop = new();
    private readonly string _path;
    private readonly Task _task;

    /// <param name="columns">Where the file's open readers wait; one is taken, or opened, and put back.</param>
    public RowGroupRead(string path, int group, long skip, ConcurrentBag<ParquetTextColumn> columns, Func<ParquetTextColumn> open)
    {
        _path = path;
        _task = Task.Factory.StartNew(
            () =>
            {
                try
                {
                    ParquetTextColumn column = columns.TryTake(out ParquetTextColumn? waiting) ? waiting : open();
                    try
                    {
                        ParquetErrors.Named(path, () => Decode(column, group, skip));
                    }
                    finally
                    {
                        columns.Add(column);
                    }
                }
                finally
                {
                    _batches.CompleteAdding();
                }
            },
            CancellationToken.None,
            TaskCreationOptions.LongRunning,
            TaskScheduler.Default);
    }

    /// <summary>The next batch; false at the row group's end.</summary>
    /// <exception cref="RunFailedException">The row group is damaged.</exception>
    public bool TryTake(out RowBatch batch)
    {
        if (_batches.TryTake(out batch, Timeout.Infinite))
        {
            return true;
        }

        _task.GetAwaiter().GetResult();
        return false;
    }

    public void Dispose()
    {
        _stop.Cancel();
        ((Task)_task).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing).GetAwaiter().GetResult();
        while (_batches.TryTake(out RowBatch batch))
        {
            batch.Texts.Dispose();
        }

        _batches.Dispose();
        _stop.Dispose();
    }

    /// <returns>Rows passed on.</returns>
    private unsafe long Decode(ParquetTextColumn column, int group, long skip)
    {
        using ColumnReader<ByteArray> reader = column.Values(group);
        for (long left = skip, skipped = 1; left > 0 && skipped > 0 && reader.HasNext; left -= skipped)
        {
            skipped = reader.Skip(left);
        }

        long expected = column.Rows(group) - skip;
        long rows = 0;
        var values = new ByteArray[ValuesAtOnce];
        var levels = new short[ValuesAtOnce];
        var texts = new ArrayPoolBufferWriter<byte>(TextPiece.MaxBytes * 3 / 2);
        var lengths = new List<int>();
        while (reader.HasNext && !_stop.IsCancellationRequested)
        {
            int read = (int)reader.ReadBatch(ValuesAtOnce, levels, [], values, out _);
            for (int row = 0, value = 0; row < read; row++)
            {
                if (column.MaxDefinitionLevel > 0 && levels[row] != column.MaxDefinitionLevel)
                {
                    lengths.Add(RowBatch.Null);
                    continue;
                }

                ByteArray text = values[value++];
                if (text.Length > ChunkReader.MaxLineBytes)
                {
                    lengths.Add(RowBatch.TooLong);
                    continue;
                }

                texts.Write(new ReadOnlySpan<byte>((void*)text.Pointer, text.Length));
                lengths.Add(text.Length);
                if (texts.WrittenCount >= TextPiece.MaxBytes)
                {
                    Pass();
                }
            }

            rows += read;
            if (lengths.Count >= MaxRows)
            {
                Pass();
            }
        }

        if (lengths.Count > 0)
        {
            Pass();
        }

        texts.Dispose();
        return rows == expected || _stop.IsCancellationRequested
            ? rows
            : throw new InvalidFileException(_path, $"the parquet file is damaged: row group {group + 1} has {rows} rows of {expected}");

        void Pass()
        {
            try
            {
                _batches.Add(new RowBatch(texts, lengths), _stop.Token);
            }
            catch (OperationCanceledException)
            {
                texts.Dispose();
            }

            texts = new ArrayPoolBufferWriter<byte>(TextPiece.MaxBytes * 3 / 2);
            lengths = [];
        }
    }
}
