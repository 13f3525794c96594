using System.Buffers;
using QApollo.Data.Tokenizers;

namespace QApollo.Data.Tests.Preparation;

/// <summary>Bytes, moved up so far that ids need 32 bits.</summary>
internal sealed class WideTokenizer : ITokenizer
{
    public const int Offset = 70_000;

    public string Description => "wide";

    public int VocabularySize => Offset + 257;

    public int EndOfDocument => Offset + 256;

    public string Fingerprint => "wide";

    public void Encode(ReadOnlySpan<byte> utf8, IBufferWriter<int> ids)
    {
        Span<int> room = ids.GetSpan(utf8.Length);
        for (int i = 0; i < utf8.Length; i++)
        {
            room[i] = Offset + utf8[i];
        }

        ids.Advance(utf8.Length);
    }

    public void Decode(ReadOnlySpan<int> ids, IBufferWriter<byte> utf8) => throw new NotSupportedException();
}

/// <summary>Bytes, with something done before each call.</summary>
internal sealed class WatchedTokenizer(Action<int> beforeCall) : ITokenizer
{
    private readonly ByteTokenizer _bytes = new();
    private int _calls;

    public string Description => _bytes.Description;

    public int VocabularySize => _bytes.VocabularySize;

    public int EndOfDocument => _bytes.EndOfDocument;

    public string Fingerprint => _bytes.Fingerprint;

    public int Calls => _calls;

    public void Encode(ReadOnlySpan<byte> utf8, IBufferWriter<int> ids)
    {
        beforeCall(Interlocked.Increment(ref _calls));
        _bytes.Encode(utf8, ids);
    }

    public void Decode(ReadOnlySpan<int> ids, IBufferWriter<byte> utf8) => _bytes.Decode(ids, utf8);
}
