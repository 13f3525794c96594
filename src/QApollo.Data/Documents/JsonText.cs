using System.Buffers.Text;
using System.Text;
using System.Text.Json;

namespace QApollo.Data;

/// <summary>The text field of one line of JSON Lines.</summary>
internal static class JsonText
{
    /// <summary>Finds the field's string; of repeated names the last counts, as in other readers of JSON.</summary>
    /// <param name="field">UTF-8 name of a field of the outermost object.</param>
    /// <param name="value">Where in the line the string's content is, escapes not yet resolved.</param>
    /// <param name="escaped">The content has escapes.</param>
    /// <returns>Null, or what is wrong with the line.</returns>
    public static RowFault? Find(ReadOnlySpan<byte> line, ReadOnlySpan<byte> field, out Range value, out bool escaped)
    {
        value = default;
        escaped = false;
        bool found = false;
        RowFault? fault = null;
        string names = string.Empty;

        // However deep: of the other fields only their ends count.
        var reader = new Utf8JsonReader(line, new JsonReaderOptions { MaxDepth = int.MaxValue });
        try
        {
            if (!reader.Read() || reader.TokenType != JsonTokenType.StartObject)
            {
                return RowFault.Wrong("not a JSON object");
            }

            while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
            {
                bool wanted = reader.ValueSpan.SequenceEqual(field) || (reader.ValueIsEscaped && reader.ValueTextEquals(field));
                if (!wanted && !found && names.Length < 100)
                {
                    names += $" {Encoding.UTF8.GetString(reader.ValueSpan[..Math.Min(40, reader.ValueSpan.Length)])}";
                }

                reader.Read();
                if (wanted)
                {
                    if (reader.TokenType != JsonTokenType.String)
                    {
                        fault = reader.TokenType == JsonTokenType.Null
                            ? RowFault.Null
                            : RowFault.Wrong($"field \"{Encoding.UTF8.GetString(field)}\" is no string");
                        found = true;
                        reader.Skip();
                        continue;
                    }

                    fault = null;
                    int begin = (int)reader.TokenStartIndex + 1;
                    value = begin..(begin + reader.ValueSpan.Length);
                    escaped = reader.ValueIsEscaped;
                    found = true;
                }
                else
                {
                    reader.Skip();
                }
            }

            // Reports whatever follows the object.
            reader.Read();
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException)
        {
            return RowFault.Wrong($"broken JSON at byte {reader.BytesConsumed + 1} of the line");
        }

        return found ? fault : RowFault.Wrong($"no field \"{Encoding.UTF8.GetString(field)}\" (there are:{(names.Length == 0 ? " none" : names)}); name it with --text-field");
    }

    /// <summary>Resolves the escapes of a JSON string that <see cref="Find"/> has checked. A surrogate without its partner becomes U+FFFD.</summary>
    /// <param name="text">At least as long as <paramref name="value"/>; may not overlap it.</param>
    /// <returns>Bytes written, and lone surrogates replaced with the place of the first (-1: none).</returns>
    public static (int Length, int Replaced, int First) Unescape(ReadOnlySpan<byte> value, Span<byte> text)
    {
        int length = 0;
        int replaced = 0;
        int first = -1;
        int position = 0;
        while (true)
        {
            int plain = value[position..].IndexOf((byte)'\\');
            plain = plain < 0 ? value.Length - position : plain;
            value.Slice(position, plain).CopyTo(text[length..]);
            length += plain;
            position += plain;
            if (position == value.Length)
            {
                return (length, replaced, first);
            }

            if (value[position + 1] != (byte)'u')
            {
                text[length++] = value[position + 1] switch
                {
                    (byte)'n' => (byte)'\n',
                    (byte)'t' => (byte)'\t',
                    (byte)'r' => (byte)'\r',
                    (byte)'b' => (byte)'\b',
                    (byte)'f' => (byte)'\f',
                    byte other => other,
                };
                position += 2;
                continue;
            }

            Rune character = Character(value[position..], out int consumed);
            if (character == Rune.ReplacementChar && CodeUnit(value[position..]) != 0xFFFD)
            {
                first = replaced == 0 ? position : first;
                replaced++;
            }

            length += character.EncodeToUtf8(text[length..]);
            position += consumed;
        }
    }

    /// <summary>One "\uXXXX", or two that form a surrogate pair.</summary>
    private static Rune Character(ReadOnlySpan<byte> escape, out int consumed)
    {
        const int EscapeLength = 6;
        char unit = CodeUnit(escape);
        if (char.IsHighSurrogate(unit)
            && escape.Length >= 2 * EscapeLength
            && escape[EscapeLength] == (byte)'\\'
            && escape[EscapeLength + 1] == (byte)'u'
            && Rune.TryCreate(unit, CodeUnit(escape[EscapeLength..]), out Rune pair))
        {
            consumed = 2 * EscapeLength;
            return pair;
        }

        consumed = EscapeLength;
        return Rune.TryCreate(unit, out Rune single) ? single : Rune.ReplacementChar;
    }

    private static char CodeUnit(ReadOnlySpan<byte> escape) =>
        Utf8Parser.TryParse(escape.Slice(2, 4), out ushort unit, out int digits, 'x') && digits == 4
            ? (char)unit
            : throw new FormatException("an escape without four hexadecimal digits");
}
