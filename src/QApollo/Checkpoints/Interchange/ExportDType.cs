namespace QApollo.Checkpoints.Interchange;

/// <summary>Element types that a model is exported in.</summary>
public enum ExportDType
{
    F32,
    F16,
    BF16,

    /// <summary>ggml's Q8_0: blocks of 32 values: a binary16 scale and signed bytes. GGUF only.</summary>
    Q8,

    /// <summary>The INT8 groups as they are trained: codes, scales and zero points, byte for byte. Hugging Face only.</summary>
    Int8,
}
