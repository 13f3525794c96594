using QApollo.Data.Tokenizers.Text;

namespace QApollo.Data.Tokenizers.Normalizers;

/// <summary>Rewrites text before it is cut. Bytes that are no UTF-8 stay as they are.</summary>
internal abstract class TextNormalizer
{
    /// <summary>Appends the rewritten text.</summary>
    public abstract void Apply(ReadOnlySpan<byte> text, EncodeState state, ByteBuffer output);
}
