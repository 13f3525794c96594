namespace QApollo.Devices;

/// <summary>
/// The positions of a micro-batch grouped by token id, so that the embedding gradient is summed in a fixed order
/// without atomics: token <c>Tokens[u]</c> stands at <c>Positions[Starts[u] .. Starts[u + 1]]</c>.
/// </summary>
/// <param name="Tokens">I32 [1, n]: distinct ids, ascending.</param>
/// <param name="Starts">I32 [1, n + 1]: offsets into <paramref name="Positions"/>.</param>
/// <param name="Positions">I32 [1, tokens of the micro-batch]: row numbers, ascending within a token.</param>
/// <param name="First">First entry of <paramref name="Tokens"/> to process.</param>
/// <param name="Count">Entries of <paramref name="Tokens"/> to process.</param>
public readonly record struct TokenIndex(Tensor Tokens, Tensor Starts, Tensor Positions, int First, int Count);
