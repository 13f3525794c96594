namespace QApollo.Interchange.Tests;

/// <summary>Changes a SentencePiece .model: a protobuf message whose field 3 describes how text is normalized.</summary>
internal static class SentencePieceEdit
{
    private const int Normalizer = 3;
    private const int CharacterMap = 2;

    /// <summary>The model as trained with --normalization_rule_name=identity.</summary>
    public static byte[] WithoutCharacterMap(byte[] model)
    {
        var edited = new MemoryStream();
        foreach ((int field, byte[] whole, byte[] content) in Fields(model))
        {
            if (field != Normalizer)
            {
                edited.Write(whole);
                continue;
            }

            byte[] kept = [.. Fields(content).Where(part => part.Field != CharacterMap).SelectMany(part => part.Whole)];
            edited.WriteByte((Normalizer << 3) | 2);
            WriteVarint(edited, kept.Length);
            edited.Write(kept);
        }

        return edited.ToArray();
    }

    private static IEnumerable<(int Field, byte[] Whole, byte[] Content)> Fields(byte[] message)
    {
        for (int at = 0; at < message.Length;)
        {
            int start = at;
            long key = ReadVarint(message, ref at);
            int content = at;
            switch (key & 7)
            {
                case 0:
                    ReadVarint(message, ref at);
                    break;
                case 1:
                    at += 8;
                    break;
                case 2:
                    int length = (int)ReadVarint(message, ref at);
                    content = at;
                    at += length;
                    break;
                default:
                    at += 4;
                    break;
            }

            yield return ((int)(key >> 3), message[start..at], message[content..at]);
        }
    }

    private static long ReadVarint(byte[] message, ref int at)
    {
        long value = 0;
        for (int shift = 0; ; shift += 7)
        {
            byte part = message[at++];
            value |= (long)(part & 0x7F) << shift;
            if (part < 0x80)
            {
                return value;
            }
        }
    }

    private static void WriteVarint(MemoryStream stream, int value)
    {
        for (; value >= 0x80; value >>= 7)
        {
            stream.WriteByte((byte)(value | 0x80));
        }

        stream.WriteByte((byte)value);
    }
}
