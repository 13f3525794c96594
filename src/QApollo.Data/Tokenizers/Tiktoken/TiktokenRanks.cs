using System.Buffers.Text;
using System.Globalization;
using System.IO.Compression;
using System.Reflection;
using QApollo.Data.Tokenizers.Models;

namespace QApollo.Data.Tokenizers.Tiktoken;

/// <summary>Reads the tokens of a tiktoken vocabulary, whose ids are the ranks in which they merge.</summary>
internal static class TiktokenRanks
{
    private const int MaxTokenBytes = 256;

    /// <summary>Whether it begins with a line of a token in base64 and its rank.</summary>
    public static bool IsFile(ReadOnlySpan<byte> content)
    {
        int end = content.IndexOf((byte)'\n');
        return end > 0 && TryLine(content[..end], out ReadOnlySpan<byte> token, out _) && Base64.IsValid(token);
    }

    /// <summary>A .tiktoken file: lines of a token in base64, a space and its rank, from 0 on.</summary>
    /// <exception cref="UsageException">A line is something else, or a token comes twice.</exception>
    public static TokenTable ReadFile(ReadOnlySpan<byte> content)
    {
        var tokens = new TokenTable(content.Count((byte)'\n'));
        foreach (Range range in content.Split((byte)'\n'))
        {
            ReadOnlySpan<byte> line = content[range].TrimEnd((byte)'\r');
            if (line.IsEmpty)
            {
                continue;
            }

            if (!TryLine(line, out ReadOnlySpan<byte> token, out int rank) || rank != tokens.IdsEnd)
            {
                throw Error(tokens.IdsEnd, $"must be a token in base64, a space and the rank {tokens.IdsEnd}");
            }

            Add(token, tokens);
        }

        return tokens;
    }

    /// <summary>The table of a data package: compressed lines, a count and then a token in base64 each, in the order of their ranks.</summary>
    public static TokenTable ReadPackage(TiktokenEncoding encoding)
    {
        var assembly = Assembly.Load(encoding.Package!);
        using Stream resource = assembly.GetManifestResourceStream(encoding.Name + ".tiktoken.deflate")!;
        using var lines = new StreamReader(new DeflateStream(resource, CompressionMode.Decompress));
        lines.ReadLine();
        var tokens = new TokenTable(encoding.Ranks);
        while (lines.ReadLine() is { } line)
        {
            Add(System.Text.Encoding.ASCII.GetBytes(line), tokens);
        }

        return tokens;
    }

    private static bool TryLine(ReadOnlySpan<byte> line, out ReadOnlySpan<byte> token, out int rank)
    {
        int space = line.IndexOf((byte)' ');
        token = space > 0 ? line[..space] : default;
        rank = 0;
        return space > 0 && int.TryParse(line[(space + 1)..].TrimEnd((byte)'\r'), NumberStyles.None, CultureInfo.InvariantCulture, out rank);
    }

    private static void Add(ReadOnlySpan<byte> base64, TokenTable tokens)
    {
        Span<byte> token = stackalloc byte[MaxTokenBytes];
        if (Base64.DecodeFromUtf8(base64, token, out _, out int length) != System.Buffers.OperationStatus.Done || length == 0)
        {
            throw Error(tokens.IdsEnd, $"is no base64 of 1 to {MaxTokenBytes} bytes");
        }

        token = token[..length];
        if (tokens.Find(token) is int same and >= 0)
        {
            throw Error(tokens.IdsEnd, $"is the same as token {same}");
        }

        tokens.Set(token, tokens.IdsEnd);
    }

    private static UsageException Error(int rank, string what) => new(string.Create(CultureInfo.InvariantCulture, $"token {rank} {what}"));
}
