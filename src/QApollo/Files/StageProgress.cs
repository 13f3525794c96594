namespace QApollo.Files;

/// <summary>How far a stage of some longer work is.</summary>
/// <param name="Stage">For people: "reading weights".</param>
/// <param name="Done">Of <paramref name="Total"/>, in any unit; equal to it at the end.</param>
/// <param name="Total">0: there is no telling.</param>
public readonly record struct StageProgress(string Stage, long Done, long Total);
