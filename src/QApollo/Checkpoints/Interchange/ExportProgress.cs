namespace QApollo.Checkpoints.Interchange;

/// <summary>How far an export is.</summary>
/// <param name="Written">Bytes of tensors written so far.</param>
/// <param name="Total">Bytes of all tensors.</param>
public readonly record struct ExportProgress(long Written, long Total);
