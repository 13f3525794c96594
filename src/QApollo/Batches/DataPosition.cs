namespace QApollo.Batches;

/// <summary>Where training stands in the data: the sequence visited next.</summary>
/// <param name="Epoch">Passes completed.</param>
/// <param name="Index">Sequences of this epoch already visited: 0 .. sequences per epoch - 1.</param>
public readonly record struct DataPosition(int Epoch, long Index);
