namespace QApollo.Quality;

/// <summary>A published result on C4 (arXiv 2412.05270, table 8), and the options that `qapollo train` reaches it with.</summary>
/// <param name="Name">"q-apollo-mini-60m".</param>
/// <param name="Perplexity">Published, on C4's validation set.</param>
internal sealed record PaperRow(string Name, string Model, int Updates, double Perplexity, IReadOnlyList<(string Option, string Value)> Method)
{
    private const int SequencesPerUpdate = 512;

    private static readonly (string, string)[] s_mini = [("--optimizer", "apollo-mini")];

    public static IReadOnlyList<PaperRow> All { get; } =
    [
        new("q-apollo-mini-60m", "60m", 10_000, 33.05, [.. s_mini, ("--weights", "int8")]),
        new("q-apollo-mini-130m", "130m", 20_000, 24.70, [.. s_mini, ("--weights", "int8")]),
        new("q-apollo-60m", "60m", 10_000, 31.97, [.. Apollo(rank: 128), ("--weights", "int8")]),
        new("q-apollo-130m", "130m", 20_000, 24.16, [.. Apollo(rank: 192), ("--weights", "int8")]),
        new("apollo-mini-130m", "130m", 20_000, 23.84, [.. s_mini, ("--weights", "bf16")]),
    ];

    /// <summary>The paper's protocol: 256 tokens of the beginning of a document each, padded; 512 of them to an update; learning rate 0.01, 10 % of it warm-up, cosine to a tenth.</summary>
    /// <param name="microBatch">Sequences at a time; divides 512.</param>
    public Dictionary<string, string> Options(int microBatch)
    {
        var options = new Dictionary<string, string>
        {
            ["--model"] = Model,
            ["--packing"] = "paper",
            ["--seq-len"] = "256",
            ["--batch-size"] = $"{microBatch}",
            ["--grad-accum"] = $"{SequencesPerUpdate / microBatch}",
            ["--max-steps"] = $"{Updates}",
            ["--lr"] = "0.01",
            ["--valid-tokens"] = "10000000",
            ["--eval-every"] = "1000",
        };
        foreach ((string option, string value) in Method)
        {
            options[option] = value;
        }

        return options;
    }

    public static PaperRow Find(string name) => All.FirstOrDefault(row => row.Name == name)
        ?? throw new UsageException($"--row: '{name}' is none of {string.Join(", ", All.Select(row => row.Name))}");

    /// <summary>A quarter of the hidden size, as the paper has it.</summary>
    private static (string, string)[] Apollo(int rank) => [("--optimizer", "apollo"), ("--rank", $"{rank}")];
}
