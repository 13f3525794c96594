using QApollo.Data.Tokenizers.Text;

namespace QApollo.Data.Tokenizers.Normalizers;

/// <summary>NFC, NFD, NFKC or NFKD.</summary>
internal sealed class UnicodeFormNormalizer(bool compatible, bool compose) : TextNormalizer
{
    public override void Apply(ReadOnlySpan<byte> text, EncodeState state, ByteBuffer output) =>
        state.Normalization.Apply(text, compatible, compose, output);
}
