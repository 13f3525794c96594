namespace QApollo.Checkpoints.Interchange;

/// <summary>What the folder of a model is made of, for other programs.</summary>
internal static class ExportFolders
{
    public const string GenerationFile = "generation_config.json";

    /// <summary>What it can hold besides config.json and weights.</summary>
    public static IReadOnlyList<string> ModelFiles { get; } =
    [
        GenerationFile, "README.md", SafetensorsSet.IndexFile, "tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "added_tokens.json",
        "chat_template.jinja", "tokenizer.model", "vocab.json", "merges.txt",
    ];

    /// <summary>Makes the folder that a file or folder will stand in.</summary>
    /// <exception cref="RunFailedException">It cannot be made.</exception>
    public static void CreateParent(string path)
    {
        try
        {
            if (Path.GetDirectoryName(Path.TrimEndingDirectorySeparator(Path.GetFullPath(path))) is { Length: > 0 } parent)
            {
                Directory.CreateDirectory(parent);
            }
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            throw new RunFailedException($"{path}: cannot be written: {exception.Message}", exception);
        }
    }
}
