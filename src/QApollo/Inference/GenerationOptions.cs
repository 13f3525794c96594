namespace QApollo.Inference;

/// <summary>How a text goes on.</summary>
public sealed record GenerationOptions
{
    /// <summary>New tokens at most.</summary>
    public int MaxTokens { get; init; } = 256;

    /// <summary>Divides the logits: below 1 likely tokens become likelier; 0 takes the likeliest always.</summary>
    public double Temperature { get; init; } = 0.8;

    /// <summary>Only so many of the likeliest tokens are considered; 0 for all.</summary>
    public int TopK { get; init; }

    /// <summary>
    /// Only the likeliest tokens that together have this probability are considered, 0 to 1 (nucleus sampling, arXiv 1904.09751).
    /// </summary>
    public double TopP { get; init; } = 0.95;

    /// <summary>Keys the random numbers: the same seed gives the same text.</summary>
    public ulong Seed { get; init; } = 1;

    /// <summary>Tells texts of one seed apart, such as samples of several steps of a run.</summary>
    public uint Draw { get; init; }
}
