namespace QApollo.Devices;

/// <summary>
/// Shape of causal grouped-query attention. Query row i of a sequence sees keys 0 .. i + (KeyLength - QueryLength);
/// query head h reads key/value head h / (Heads / KeyValueHeads).
/// </summary>
/// <param name="Batch">Sequences.</param>
/// <param name="QueryLength">Queries per sequence.</param>
/// <param name="KeyLength">Keys per sequence; at least <paramref name="QueryLength"/>, more only with a key/value cache.</param>
/// <param name="Heads">Query heads.</param>
/// <param name="KeyValueHeads">Key/value heads; divides <paramref name="Heads"/>.</param>
/// <param name="HeadDim">Features per head; even.</param>
public readonly record struct AttentionShape(int Batch, int QueryLength, int KeyLength, int Heads, int KeyValueHeads, int HeadDim)
{
    public int QueryRows => Batch * QueryLength;

    public int KeyRows => Batch * KeyLength;

    public int QueryColumns => Heads * HeadDim;

    public int KeyColumns => KeyValueHeads * HeadDim;

    public int GroupHeads => Heads / KeyValueHeads;

    /// <summary>Softmax temperature 1 / sqrt(HeadDim).</summary>
    public float Scale => 1f / MathF.Sqrt(HeadDim);
}
