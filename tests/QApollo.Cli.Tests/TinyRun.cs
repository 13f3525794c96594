namespace QApollo.Cli.Tests;

/// <summary>A folder with a tiny model and a little text, and the command line that trains on them in a moment.</summary>
internal sealed class TinyRun : IDisposable
{
    public TinyRun()
    {
        Folder = Directory.CreateTempSubdirectory("qapollo-test-").FullName;
        File.WriteAllText(ModelPath, """
            {
              "model_type": "llama", "hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2, "num_attention_heads": 2,
              "num_key_value_heads": 1, "vocab_size": 260, "max_position_embeddings": 64, "hidden_act": "silu", "rms_norm_eps": 1e-6
            }
            """);
        File.WriteAllText(TextPath, string.Concat(Enumerable.Range(0, 400).Select(i => $"Line {i} of a small text that repeats itself, number {i * 7 % 13}.\n")));
    }

    public string Folder { get; }

    public string ModelPath => Path.Combine(Folder, "config.json");

    public string TextPath => Path.Combine(Folder, "text.txt");

    /// <summary>Arguments of `train` into a folder of that name.</summary>
    public string[] Train(string run, int steps, params string[] more) => Train(run, steps, evalEvery: 0, more);

    public string[] Train(string run, int steps, int evalEvery, params string[] more) =>
    [
        "train", "--model", ModelPath, "--data", TextPath, "--output-dir", RunFolder(run), "--cache-dir", Path.Combine(Folder, "cache"),
        "--max-steps", $"{steps}", "--batch-size", "2", "--seq-len", "16", "--threads", "1", "--eval-every", $"{evalEvery}", .. more,
    ];

    public string RunFolder(string run) => Path.Combine(Folder, run);

    public void Dispose() => Directory.Delete(Folder, recursive: true);
}
