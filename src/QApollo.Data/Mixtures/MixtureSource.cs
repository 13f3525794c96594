namespace QApollo.Data;

/// <summary>One source of a mixture.</summary>
/// <param name="Name">For people and metrics; unique within the mixture.</param>
/// <param name="Data">As <see cref="PreparationOptions.Data"/>.</param>
/// <param name="Weight">Share of the sequences that come from it, relative to the other weights; above 0.</param>
public sealed record MixtureSource(string Name, IReadOnlyList<string> Data, double Weight);

/// <summary>What happens when a source of a mixture has given all its sequences.</summary>
public enum WhenExhausted
{
    /// <summary>It begins anew, in another order: the shares stay as given.</summary>
    Repeat = 1,

    /// <summary>It is left out, and the others share its part by their weights. When all are through, all begin anew.</summary>
    Drop = 2,

    /// <summary>The run ends.</summary>
    Stop = 3,
}
