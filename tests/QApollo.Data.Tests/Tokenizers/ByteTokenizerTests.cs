using System.Buffers;
using QApollo.Data.Tokenizers;
using Xunit;

namespace QApollo.Data.Tests.Tokenizers;

public class ByteTokenizerTests
{
    private readonly ByteTokenizer _tokenizer = new();

    [Fact]
    public void Any_bytes_come_back()
    {
        var text = new byte[100_000];
        new Random(1).NextBytes(text);
        var ids = new ArrayBufferWriter<int>();
        _tokenizer.Encode(text, ids);
        Assert.Equal(text.Select(b => (int)b), ids.WrittenSpan.ToArray());
        var back = new ArrayBufferWriter<byte>();
        _tokenizer.Decode(ids.WrittenSpan, back);
        Assert.Equal(text, back.WrittenSpan.ToArray());
    }

    [Fact]
    public void The_end_of_a_document_is_the_last_id_and_has_no_bytes()
    {
        Assert.Equal(256, _tokenizer.EndOfDocument);
        Assert.Equal(257, _tokenizer.VocabularySize);
        var back = new ArrayBufferWriter<byte>();
        _tokenizer.Decode([65, 256, 66], back);
        Assert.Equal("AB"u8.ToArray(), back.WrittenSpan.ToArray());
    }

    [Theory]
    [InlineData(-1)]
    [InlineData(257)]
    public void An_id_outside_the_vocabulary_is_refused(int id) =>
        Assert.Throws<ArgumentOutOfRangeException>(() => _tokenizer.Decode([id], new ArrayBufferWriter<byte>()));

    [Fact]
    public void The_fingerprint_is_a_constant() =>
        Assert.Equal("277089d91c0bdf4f2e6862ba7e4a07605119431f5d13f726dd352b06f1b206a9", _tokenizer.Fingerprint);
}
