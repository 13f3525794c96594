using System.Collections.Concurrent;

namespace QApollo.Data;

/// <summary>Tokenizes chunks on several threads and gives them back in the corpus's order. What is in flight is bounded.</summary>
internal static class TokenizationPipeline
{
    /// <param name="reader">Read from another thread until the enumeration ends; not disposed.</param>
    /// <param name="create">Makes a buffer; at most 2 * <paramref name="threads"/> + 3 are made.</param>
    /// <returns>Chunks in order. Each is valid until the next is asked for. Failures come at their place in the order.</returns>
    public static IEnumerable<TokenizedChunk> Run(
        ChunkReader reader, Func<TokenizedChunk> create, int threads, CancellationToken cancellation)
    {
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
        using var inOrder = new BlockingCollection<Task<TokenizedChunk>>(2 * threads);
        var free = new ConcurrentBag<TokenizedChunk>();
        TaskScheduler workers = new ConcurrentExclusiveSchedulerPair(TaskScheduler.Default, threads).ConcurrentScheduler;

        TokenizedChunk Tokenize(TextChunk chunk)
        {
            using (chunk)
            {
                TokenizedChunk result = free.TryTake(out TokenizedChunk? used) ? used : create();
                result.Fill(chunk);
                return result;
            }
        }

        void Read()
        {
            try
            {
                while (reader.TryRead(out TextChunk? chunk))
                {
                    TextChunk current = chunk;
                    inOrder.Add(Task.Factory.StartNew(() => Tokenize(current), stop.Token, TaskCreationOptions.None, workers), stop.Token);
                }
            }
            catch (OperationCanceledException)
            {
            }
            catch (RunFailedException e)
            {
                inOrder.Add(Task.FromException<TokenizedChunk>(e), CancellationToken.None);
            }
            finally
            {
                inOrder.CompleteAdding();
            }
        }

        Task reading = Task.Factory.StartNew(Read, CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default);
        try
        {
            foreach (Task<TokenizedChunk> task in inOrder.GetConsumingEnumerable(cancellation))
            {
                TokenizedChunk chunk = task.GetAwaiter().GetResult();
                yield return chunk;
                free.Add(chunk);
            }

            reading.GetAwaiter().GetResult();
        }
        finally
        {
            stop.Cancel();
            foreach (Task<TokenizedChunk> task in inOrder.GetConsumingEnumerable(CancellationToken.None))
            {
                ((Task)task).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing).GetAwaiter().GetResult();
            }

            reading.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing).GetAwaiter().GetResult();
        }
    }
}
