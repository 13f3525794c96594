namespace QApollo.Parallel;

/// <summary>Knows, while nothing is exchanged, whether the other ranks still live. May be asked by any thread.</summary>
internal interface IRankWatch
{
    /// <summary>A rank that is gone, or null.</summary>
    int? FindGone();
}
