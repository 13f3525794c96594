using System.Buffers;
using System.Globalization;
using System.Text;

namespace QApollo.Tests.Inference;

/// <summary>Id n is the text " n"; the space goes at a text's beginning, as SentencePiece's does. The last id ends a document.</summary>
internal sealed class NumberTokenizer(int vocabularySize) : ITokenizer
{
    public string Description => "numbers";

    public int VocabularySize => vocabularySize;

    public int EndOfDocument => vocabularySize - 1;

    public string Fingerprint => "00";

    public void Encode(ReadOnlySpan<byte> utf8, IBufferWriter<int> ids)
    {
        foreach (string number in Encoding.UTF8.GetString(utf8).Split(' ', StringSplitOptions.RemoveEmptyEntries))
        {
            ids.Write([int.Parse(number, CultureInfo.InvariantCulture)]);
        }
    }

    public void Decode(ReadOnlySpan<int> ids, IBufferWriter<byte> utf8)
    {
        bool first = true;
        foreach (int id in ids)
        {
            if (id != EndOfDocument)
            {
                utf8.Write(Encoding.UTF8.GetBytes($"{(first ? string.Empty : " ")}{id}"));
                first = false;
            }
        }
    }
}
