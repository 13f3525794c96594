namespace QApollo.Training;

/// <summary>How layer inputs are kept for the backward pass.</summary>
public enum BoundaryFormat
{
    /// <summary>As they are computed: in the device's activation dtype.</summary>
    Activations,

    F32,

    /// <summary>On a device that computes in F32: rounded to nearest.</summary>
    BF16,

    /// <summary>INT8 codes with a scale per token, rounded stochastically.</summary>
    Int8,
}
