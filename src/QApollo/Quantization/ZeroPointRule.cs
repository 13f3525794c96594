namespace QApollo.Quantization;

/// <summary>Where a group's grid has its zero.</summary>
public enum ZeroPointRule
{
    /// <summary>Where the group's range puts it: codes 0..255 span [min, max].</summary>
    Asymmetric = 0,

    /// <summary>
    /// At code 128 in every group, codes 1..255, scales that binary16 holds exactly: each block of 32 codes is a block of
    /// GGUF's Q8_0 as it stands, and others need no zero points.
    /// </summary>
    Symmetric = 1,
}
