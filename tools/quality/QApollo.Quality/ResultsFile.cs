using System.Text;
using System.Text.Json;
using QApollo.Files;

namespace QApollo.Quality;

/// <summary>A line for each finished run; several studies may fill one file.</summary>
internal static class ResultsFile
{
    private const string LineBegin = "{\"model\":";

    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(10);

    private static readonly JsonSerializerOptions s_options = new(JsonSerializerDefaults.Web)
    {
        Encoder = System.Text.Encodings.Web.JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
        RespectNullableAnnotations = true,
        RespectRequiredConstructorParameters = true,
        AllowDuplicateProperties = false,
    };

    /// <summary>All runs of a file; none where there is no file. A last line that a kill cut short does not count.</summary>
    /// <exception cref="RunFailedException">A line is no result.</exception>
    public static List<StudyResult> Read(string path)
    {
        if (!File.Exists(path))
        {
            return [];
        }

        using FileStream file = Open(path, FileMode.Open, FileAccess.Read, FileShare.Read);
        return Parse(path, ReadBytes(file)).Runs;
    }

    /// <summary>Adds a line, in place of one that was cut short.</summary>
    /// <exception cref="RunFailedException">A line is no result, or the disk is full; the file is as it was.</exception>
    public static void Append(string path, StudyResult result)
    {
        using FileStream file = Open(path, FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None);
        byte[] bytes = ReadBytes(file);
        int end = Parse(path, bytes).End;
        byte[] separator = end > 0 && bytes[end - 1] != (byte)'\n' ? [(byte)'\n'] : [];
        try
        {
            file.SetLength(end);
            file.Seek(end, SeekOrigin.Begin);
            file.Write([.. separator, .. JsonSerializer.SerializeToUtf8Bytes(result, s_options), (byte)'\n']);
            file.Flush(flushToDisk: true);
        }
        catch (IOException exception)
        {
            file.SetLength(end);
            throw new RunFailedException($"{path}: a finished run cannot be written: {exception.Message}", exception);
        }
    }

    /// <summary>Before hours are spent on a run: whether its line could be added.</summary>
    /// <exception cref="UsageException">The path is none of a file.</exception>
    public static void RequireWritable(string path)
    {
        RequireName(path);
        if (File.Exists(path))
        {
            // Without a lock of its own: another study may write just now.
            Open(path, FileMode.Open, FileAccess.ReadWrite, FileShare.ReadWrite).Dispose();
        }
    }

    /// <exception cref="UsageException">The path is none of a file.</exception>
    public static void RequireName(string path)
    {
        if (string.IsNullOrWhiteSpace(path) || Directory.Exists(path))
        {
            throw new UsageException($"--results: {(string.IsNullOrWhiteSpace(path) ? "the path is empty" : $"{path} is a folder")}; name a file");
        }
    }

    /// <returns>The runs, and where the last whole line ends.</returns>
    private static (List<StudyResult> Runs, int End) Parse(string path, byte[] bytes)
    {
        List<StudyResult> runs = [];
        for (int start = 0, number = 1; start < bytes.Length; number++)
        {
            int length = bytes.AsSpan(start).IndexOf((byte)'\n');
            bool isLast = length < 0;
            string line = Encoding.UTF8.GetString(bytes, start, isLast ? bytes.Length - start : length).Trim();
            if (line.Length > 0)
            {
                (StudyResult? run, string fault) = ParseLine(line);
                if (run is null && isLast && IsCutShort(line))
                {
                    return (runs, start);
                }

                runs.Add(run ?? throw new RunFailedException($"{path}, line {number}: is no result of a study ({fault}); correct or remove that line"));
            }

            start = isLast ? bytes.Length : start + length + 1;
        }

        return (runs, bytes.Length);
    }

    private static (StudyResult? Run, string Fault) ParseLine(string line)
    {
        try
        {
            return JsonSerializer.Deserialize<StudyResult>(line, s_options) switch
            {
                null => (null, "null"),
                { Fault: { } fault } => (null, fault),
                StudyResult run => (run, ""),
            };
        }
        catch (JsonException exception)
        {
            // Its first sentence: what follows counts lines and bytes within this one line.
            return (null, exception.Message.Split(" Path: ")[0].ReplaceLineEndings(" ").TrimEnd('.'));
        }
    }

    /// <summary>Begins as a line does and lacks its end. What has an end was not cut short: it is something else.</summary>
    private static bool IsCutShort(string line) =>
        (line.StartsWith(LineBegin, StringComparison.Ordinal) || LineBegin.StartsWith(line, StringComparison.Ordinal)) && !line.EndsWith('}');

    private static byte[] ReadBytes(FileStream file)
    {
        byte[] bytes = new byte[file.Length];
        file.ReadExactly(bytes);
        return bytes;
    }

    /// <summary>Waits while somebody else has the file, however long: a finished run must not be lost.</summary>
    private static FileStream Open(string path, FileMode mode, FileAccess access, FileShare share)
    {
        long start = Environment.TickCount64;
        for (bool isTold = false; ;)
        {
            try
            {
                return new FileStream(path, mode, access, share);
            }
            catch (IOException exception) when (FileLock.IsHeld(exception))
            {
                if (!isTold && Environment.TickCount64 - start > s_patience.TotalMilliseconds)
                {
                    Console.Error.WriteLine($"qapollo-quality: {path}: another process holds it; waiting until it is free");
                    isTold = true;
                }

                Thread.Sleep(10);
            }
        }
    }
}
