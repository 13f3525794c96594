using System.Text;

namespace QApollo.Data;

/// <summary>The text of an XML documentation file as a stream of UTF-8, made while it is read.</summary>
internal sealed class XmlDocumentationStream(Stream xml, string path) : ForwardStream
{
    private readonly IEnumerator<string> _members = XmlDocumentationText.Read(xml, path, []).GetEnumerator();
    private ReadOnlyMemory<byte> _unread;

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
