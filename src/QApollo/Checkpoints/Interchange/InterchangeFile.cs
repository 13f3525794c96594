namespace QApollo.Checkpoints.Interchange;

/// <summary>A small file that goes into an exported folder as it is, such as tokenizer.json.</summary>
public sealed record InterchangeFile(string Name, ReadOnlyMemory<byte> Content);
