using System.Text;

namespace QApollo.Data;

/// <summary>The text of an XML documentation file as a stream of UTF-8, made while it is read.</summary>
internal sealed class XmlDocumentationStream(Stream xml, string path) : Stream
{
    private readonly IEnumerator<string> _members = XmlDocumentationText.Read(xml, path, []).GetEnumerator();
    private ReadOnlyMemory<byte> _unread;

    public override bool CanRead => true;

    public override bool CanSeek => false;

    public override bool CanWrite => false;

    public override long Length => throw new NotSupportedException();

    public override long Position
    {
        get => throw new NotSupportedException();
        set => throw new NotSupportedException();
    }

    public override int Read(Span<byte> buffer)
    {
        while (_unread.IsEmpty)
        {
            if (!_members.MoveNext())
            {
                return 0;
            }

            _unread = Encoding.UTF8.GetBytes(_members.Current);
        }

        int count = Math.Min(buffer.Length, _unread.Length);
        _unread.Span[..count].CopyTo(buffer);
        _unread = _unread[count..];
        return count;
    }

    public override int Read(byte[] buffer, int offset, int count) => Read(buffer.AsSpan(offset, count));

    public override void Flush()
    {
    }

    public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

    public override void SetLength(long value) => throw new NotSupportedException();

    public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();

    protected override void Dispose(bool disposing)
    {
        if (disposing)
        {
            _members.Dispose();
            xml.Dispose();
        }

        base.Dispose(disposing);
    }
}
