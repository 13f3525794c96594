using System.Security.Cryptography;
using CommunityToolkit.HighPerformance.Buffers;
using QApollo.Files;

namespace QApollo.Data;

/// <summary>SHA-256 of files.</summary>
internal static class FileHash
{
    /// <summary>Several files at once.</summary>
    /// <param name="read">Told the bytes of each portion read; called from several threads.</param>
    /// <returns>Lower-case hexadecimal, in the files' order.</returns>
    /// <exception cref="RunFailedException">A file cannot be read.</exception>
    public static string[] Sha256(IReadOnlyList<string> paths, int threads, Action<long> read, CancellationToken cancellation)
    {
        string[] hashes = new string[paths.Count];
        var options = new ParallelOptions { MaxDegreeOfParallelism = threads, CancellationToken = cancellation };
        try
        {
            Parallel.For(0, paths.Count, options, i => hashes[i] = Sha256(paths[i], read, cancellation));
        }
        catch (AggregateException e) when (e.InnerException is RunFailedException failed)
        {
            throw new RunFailedException(failed.Message, e);
        }

        return hashes;
    }

    private static string Sha256(string path, Action<long> read, CancellationToken cancellation)
    {
        using var buffer = SpanOwner<byte>.Allocate(1 << 18);
        try
        {
            using FileStream stream = RegularFile.OpenRead(path);
            using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
            for (int count = stream.Read(buffer.Span); count > 0; count = stream.Read(buffer.Span))
            {
                cancellation.ThrowIfCancellationRequested();
                hash.AppendData(buffer.Span[..count]);
                read(count);
            }

            return Convert.ToHexStringLower(hash.GetHashAndReset());
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new RunFailedException($"{path}: cannot be read: {e.Message}", e);
        }
    }
}
