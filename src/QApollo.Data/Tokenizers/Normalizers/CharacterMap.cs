using System.Buffers.Binary;

namespace QApollo.Data.Tokenizers.Normalizers;

/// <summary>
/// SentencePiece's precompiled_charsmap: the length of a double-array trie in bytes, the trie (darts-clone units), and
/// the replacements, each ended by a zero byte, at which the trie's values point.
/// </summary>
internal sealed class CharacterMap
{
    private readonly uint[] _units;
    private readonly byte[] _replacements;

    /// <param name="blob">The bytes as they are in the file.</param>
    /// <exception cref="UsageException">The lengths or the trie's offsets do not fit.</exception>
    public CharacterMap(ReadOnlySpan<byte> blob)
    {
        if (blob.Length < 4)
        {
            throw Error("it is shorter than 4 bytes");
        }

        uint size = BinaryPrimitives.ReadUInt32LittleEndian(blob);
        if (size > blob.Length - 4 || size % 4 != 0 || size == 0)
        {
            throw Error($"it claims a trie of {size} bytes in {blob.Length - 4}");
        }

        _units = new uint[size / 4];
        for (int i = 0; i < _units.Length; i++)
        {
            _units[i] = BinaryPrimitives.ReadUInt32LittleEndian(blob[(4 + (i * 4))..]);
        }

        _replacements = blob[(4 + (int)size)..].ToArray();
        if (_replacements.Length == 0 || _replacements[^1] != 0)
        {
            throw Error("its replacements do not end with a zero byte");
        }
    }

    /// <summary>The longest, or the shortest, key that the text begins with.</summary>
    /// <param name="length">Its bytes; 0 when there is none.</param>
    /// <param name="replacement">What replaces them.</param>
    public bool TryMatch(ReadOnlySpan<byte> text, bool longest, out int length, out ReadOnlySpan<byte> replacement)
    {
        length = 0;
        replacement = default;
        uint node = Offset(_units[0]);
        for (int i = 0; i < text.Length; i++)
        {
            node ^= text[i];
            if (node >= _units.Length || Label(_units[node]) != text[i])
            {
                break;
            }

            bool leaf = (_units[node] >> 8 & 1) != 0;
            node ^= Offset(_units[node]);
            if (leaf)
            {
                replacement = Replacement(node < _units.Length ? _units[node] & 0x7FFFFFFF : uint.MaxValue);
                length = i + 1;
                if (!longest)
                {
                    break;
                }
            }
        }

        return length > 0;
    }

    private ReadOnlySpan<byte> Replacement(uint start)
    {
        if (start >= _replacements.Length)
        {
            throw Error("its trie points outside its replacements");
        }

        ReadOnlySpan<byte> rest = _replacements.AsSpan((int)start);
        return rest[..rest.IndexOf((byte)0)];
    }

    // The layout of a unit: label in bits 0-7, leaf in bit 8, offset from bit 10, times 256 if bit 9; bit 31 marks a value.
    private static uint Label(uint unit) => unit & 0x800000FF;

    private static uint Offset(uint unit) => (unit >> 10) << (int)((unit & (1 << 9)) >> 6);

    private static UsageException Error(string what) => new($"the tokenizer's precompiled_charsmap is damaged: {what}");
}
