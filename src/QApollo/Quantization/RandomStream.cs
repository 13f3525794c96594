namespace QApollo.Quantization;

/// <summary>What a stream of random numbers is for; keeps the streams of one parameter apart. Values are frozen: resuming replays them.</summary>
public enum RandomPurpose
{
    Initialization = 1,
    Projection = 2,
    StochasticRounding = 3,
    LowDiscrepancyRounding = 4,
    Shuffle = 5,
    Sampling = 6,
    BoundaryRounding = 7,
}

/// <summary>
/// Names one stream of the counter-based generator (Philox4x32-10): the same key gives the same numbers on every
/// device and in any order. Word e of the stream is word e % 4 of block e / 4.
/// </summary>
/// <param name="Seed">The run's seed: the Philox key (low word, high word).</param>
/// <param name="Purpose">Bits 16..31 of counter word 1 (its low 16 bits are bits 32..47 of the block number; word 0 is bits 0..31).</param>
/// <param name="Parameter">Counter word 2: the parameter's number in the model's table.</param>
/// <param name="Step">Counter word 3: the update, or the redraw of a projection.</param>
public readonly record struct RandomStream(ulong Seed, RandomPurpose Purpose, uint Parameter, uint Step);
