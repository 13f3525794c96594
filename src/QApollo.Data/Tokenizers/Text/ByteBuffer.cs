namespace QApollo.Data.Tokenizers.Text;

/// <summary>A growing run of bytes that is used again and again, and forgets an unusually large array.</summary>
internal sealed class ByteBuffer
{
    private const int Kept = 1 << 20;
    private const int Most = 1 << 30;

    private byte[] _bytes = new byte[256];

    public int Length { get; private set; }

    public ReadOnlySpan<byte> Written => _bytes.AsSpan(0, Length);

    public void Clear()
    {
        Length = 0;
        if (_bytes.Length > Kept)
        {
            _bytes = new byte[256];
        }
    }

    public void Truncate(int length) => Length = length;

    public void Add(byte value) => Reserve(1)[0] = value;

    public void Add(ReadOnlySpan<byte> bytes) => bytes.CopyTo(Reserve(bytes.Length));

    public void AddCodePoint(int codePoint)
    {
        Span<byte> utf8 = stackalloc byte[4];
        Add(utf8[..Utf8Text.Encode(codePoint, utf8)]);
    }

    private Span<byte> Reserve(int count)
    {
        int end = count <= Most ? Length + count : int.MaxValue;
        if (end > _bytes.Length)
        {
            Grow(end);
        }

        Span<byte> room = _bytes.AsSpan(Length, count);
        Length = end;
        return room;
    }

    private void Grow(int needed)
    {
        if (needed > Most)
        {
            throw new UsageException("the tokenizer makes a text longer than 1 GiB; split the document");
        }

        Array.Resize(ref _bytes, Math.Min(Most, Math.Max(needed, _bytes.Length * 2)));
    }
}
