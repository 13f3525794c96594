using System.Text.Json;
using QApollo.Checkpoints;
using QApollo.Data.Tokenizers;
using QApollo.Files;
using T = QApollo.Cli.Options.TrainOptionTable;

namespace QApollo.Cli.Options;

/// <summary>
/// What a run's folder keeps beside metrics and checkpoints, so that nothing outside is needed to use the model: run.json with
/// every option, and a copy of the tokenizer.
/// </summary>
internal static class RunFile
{
    private const string Name = "run.json";
    private const string TokenizerFolder = "tokenizer";

    public static string In(string directory) => Path.Combine(directory, Name);

    /// <summary>The run's own copy of its tokenizer, as --tokenizer takes it; null where it has none.</summary>
    public static string? TokenizerIn(string directory)
    {
        string folder = Path.Combine(directory, TokenizerFolder);
        return TokenizerLoader.HoldsTokenizer(folder) ? folder : null;
    }

    /// <summary>Takes a run.json's options where none are given, with the copy of the tokenizer beside it.</summary>
    public static void Merge(OptionValues values, string path, ICollection<string> errors)
    {
        if (!values.IsExplicit(DataOptionTable.Tokenizer) && TokenizerIn(Path.GetDirectoryName(Path.GetFullPath(path))!) is { } copy)
        {
            values.Set(DataOptionTable.Tokenizer, copy);
        }

        values.MergeJson(path, errors);
    }

    /// <summary>Options of the run in that folder; null where there are none that can be read.</summary>
    public static OptionValues? TryRead(string directory)
    {
        var errors = new List<string>();
        var values = new OptionValues(T.All);
        if (File.Exists(In(directory)))
        {
            Merge(values, In(directory), errors);
            return errors.Count == 0 ? values : null;
        }

        return null;
    }

    /// <exception cref="RunFailedException">The disk is full, read-only, or fails.</exception>
    public static void Write(OptionValues values, string directory)
    {
        using var stream = new MemoryStream();
        using (var writer = new Utf8JsonWriter(stream, new JsonWriterOptions { Indented = true }))
        {
            values.WriteJson(writer);
        }

        PendingFile.WriteAll(In(directory), stream.ToArray());
        CopyTokenizer(values.Get(DataOptionTable.Tokenizer), directory);
    }

    /// <exception cref="UsageException">The folder holds a run, or files that a run would write over.</exception>
    public static void RequireFresh(string directory)
    {
        if (CheckpointFolder.List(directory).Count > 0)
        {
            throw new UsageException($"--output-dir: {directory} holds a run already; add --resume to go on with it, or name another folder");
        }

        // A run that ended before its first checkpoint has left nothing that is worth keeping.
        if (File.Exists(In(directory)))
        {
            return;
        }

        foreach (string taken in (string[])["metrics.jsonl", TokenizerFolder])
        {
            if (Path.Exists(Path.Combine(directory, taken)))
            {
                throw new UsageException($"--output-dir: {directory} holds a '{taken}' that is of no run; name another folder");
            }
        }
    }

    private static void CopyTokenizer(string tokenizer, string directory)
    {
        string folder = Path.Combine(Path.GetFullPath(directory), TokenizerFolder);
        try
        {
            (string Path, string Name)[] files = [.. TokenizerLoader.FilesOf(tokenizer)];
            if (files.Any(file => Path.GetDirectoryName(Path.GetFullPath(file.Path)) == folder))
            {
                // It is the copy.
                return;
            }

            if (Directory.Exists(folder))
            {
                Directory.Delete(folder, recursive: true);
            }

            foreach ((string path, string name) in files)
            {
                Directory.CreateDirectory(folder);
                PendingFile.WriteAll(Path.Combine(folder, name), File.ReadAllBytes(path));
            }
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            throw new RunFailedException($"{folder}: the tokenizer cannot be copied there: {exception.Message}", exception);
        }
    }
}
