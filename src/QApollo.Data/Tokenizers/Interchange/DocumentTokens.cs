namespace QApollo.Data.Tokenizers.Interchange;

/// <summary>How a model was trained to see documents.</summary>
/// <param name="Begin">The id before each document; null where there is none.</param>
/// <param name="End">The id that ends a document.</param>
/// <param name="MaxLength">Tokens that the model is meant for at most.</param>
public sealed record DocumentTokens(int? Begin, int End, int MaxLength);
