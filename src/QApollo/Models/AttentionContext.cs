using QApollo.Devices;

namespace QApollo.Models;

/// <summary>Where a layer's new keys and values go, and which keys and values its queries see. K key/value width.</summary>
/// <param name="NewKeys">[queries, K]: written, then rotated in place.</param>
/// <param name="NewValues">[queries, K]: written.</param>
/// <param name="Keys">[keys, K]: those of earlier tokens, then the new ones.</param>
/// <param name="Values">[keys, K]: as <paramref name="Keys"/>.</param>
/// <param name="FirstPosition">Position of the first new token in its sequence.</param>
/// <param name="DocumentStarts">See <see cref="IDevice.AttentionForward"/>; absent for whole sequences.</param>
public readonly record struct AttentionContext(
    Tensor NewKeys, Tensor NewValues, Tensor Keys, Tensor Values, AttentionShape Shape, int FirstPosition,
    Tensor DocumentStarts = default);
