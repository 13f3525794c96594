namespace QApollo.Models;

/// <summary>What a parameter does in the model.</summary>
public enum ParameterRole
{
    Embedding,
    Query,
    Key,
    Value,
    Output,
    Gate,
    Up,
    Down,
    InputNorm,
    PostAttentionNorm,
    FinalNorm,
    Head,
    QueryBias,
    KeyBias,
    ValueBias,
    OutputBias,
    GateBias,
    UpBias,
    DownBias,
    QueryNorm,
    KeyNorm,
}

/// <summary>One row of the model's parameter table.</summary>
/// <param name="Index">Position in the table; keys the parameter's random numbers, so the order is frozen.</param>
/// <param name="Name">The Hugging Face name, ".weight" or ".bias" included.</param>
/// <param name="Layer">0-based layer, -1 for a parameter of the whole model.</param>
/// <param name="Rows">Out features; 1 for a norm or a bias.</param>
/// <param name="Columns">In features.</param>
public sealed record Parameter(int Index, string Name, ParameterRole Role, int Layer, int Rows, int Columns)
{
    /// <summary>An RMSNorm weight: a vector, initialized to 1.</summary>
    public bool IsNorm => Role is ParameterRole.InputNorm or ParameterRole.PostAttentionNorm or ParameterRole.FinalNorm
        or ParameterRole.QueryNorm or ParameterRole.KeyNorm;

    /// <summary>What a projection adds to its product: a vector, initialized to 0.</summary>
    public bool IsBias => Role is ParameterRole.QueryBias or ParameterRole.KeyBias or ParameterRole.ValueBias or ParameterRole.OutputBias
        or ParameterRole.GateBias or ParameterRole.UpBias or ParameterRole.DownBias;

    /// <summary>A norm or a bias: few values, kept in F32.</summary>
    public bool IsVector => IsNorm || IsBias;

    /// <summary>Token embedding or head: vocabulary x hidden.</summary>
    public bool IsEmbeddingOrHead => Role is ParameterRole.Embedding or ParameterRole.Head;

    /// <summary>An attention or MLP matrix: quantized, and updated by the low-rank optimizers.</summary>
    public bool IsMatrix => !IsVector && !IsEmbeddingOrHead;

    public long Elements => (long)Rows * Columns;
}
