using System.Text.RegularExpressions;
using ParquetSharp;

namespace QApollo.Data.Parquet;

/// <summary>What Apache Arrow says, as this program says it.</summary>
internal static partial class ParquetErrors
{
    /// <exception cref="InvalidFileException">The file is damaged or encrypted.</exception>
    /// <exception cref="RunFailedException">There is no parquet reader for this system.</exception>
    public static T Named<T>(string path, Func<T> read)
    {
        try
        {
            return read();
        }
        catch (ParquetException e)
        {
            throw new InvalidFileException(path, Fault(e.Message), e);
        }
        catch (Exception e) when (e is DllNotFoundException or BadImageFormatException or TypeInitializationException)
        {
            throw new RunFailedException(
                $"{path}: parquet cannot be read here: the library ParquetSharpNative does not load on this system (it belongs beside the program); convert the file to .jsonl.zst", e);
        }
    }

    private static string Fault(string message)
    {
        string text = Message().Match(message) is { Success: true } match ? match.Groups[1].Value : message;
        return text.Contains("crypt", StringComparison.OrdinalIgnoreCase)
            ? "the parquet file is encrypted: write it without encryption"
            : $"the parquet file is damaged or cut short: get it again (Apache Arrow says: {OneLine(text)})";
    }

    private static string OneLine(string text) => LineBreaks().Replace(text.Trim(), " ");

    [GeneratedRegex("message: '(.*)'", RegexOptions.Singleline)]
    private static partial Regex Message();

    [GeneratedRegex("[\\s\\p{C}]+")]
    private static partial Regex LineBreaks();
}
