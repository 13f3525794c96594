using System.Text;
using System.Text.Json;
using QApollo.Data.Tokenizers.Models;
using QApollo.Data.Tokenizers.Pipeline;
using QApollo.Data.Tokenizers.Text;

namespace QApollo.Data.Tokenizers.HuggingFace;

/// <summary>Reads the "decoder" of a tokenizer.json and works the bytes of every id out beforehand.</summary>
internal sealed class DecoderReader
{
    /// <summary>Real files replace a mark by a space; longer texts would only multiply.</summary>
    private const int MaxContent = 64;

    private readonly List<Func<byte[], byte[]>> _steps = [];
    private Func<byte[], byte[]>? _whenFirst;
    private (byte[] Text, int Start, int End)? _strip;
    private bool _fused;
    private bool _byteLevel;

    /// <param name="preTokenizer">What to undo when the file has no decoder.</param>
    public static TokenDecoder Read(JsonElement? decoder, PreTokenizerReader preTokenizer, TokenTable vocabulary, IReadOnlyList<AddedToken> added)
    {
        var reader = new DecoderReader();
        if (decoder is JsonElement json)
        {
            foreach (JsonElement step in JsonFields.Flatten(json, "decoders"))
            {
                reader.AddStep(step);
            }
        }
        else if (preTokenizer.IsByteLevel)
        {
            reader.AddByteLevel();
        }
        else if (preTokenizer.Metaspace is JsonElement metaspace)
        {
            reader.AddMetaspace(metaspace);
        }

        var contents = new Dictionary<int, byte[]>();
        foreach (AddedToken token in added)
        {
            contents[token.Id] = token.Content;
        }

        int size = Math.Max(vocabulary.IdsEnd, contents.Count == 0 ? 0 : contents.Keys.Max() + 1);
        return new TokenDecoder(
            size,
            id => reader.Apply(reader._steps, id, vocabulary, contents),
            id => reader._whenFirst is null ? null : reader.Apply([reader._whenFirst], id, vocabulary, contents))
        {
            Strip = reader._strip,
        };
    }

    private byte[]? Apply(List<Func<byte[], byte[]>> steps, int id, TokenTable vocabulary, Dictionary<int, byte[]> contents)
    {
        if (vocabulary.TryText(id, out ReadOnlySpan<byte> token))
        {
            return steps.Aggregate(token.ToArray(), (bytes, step) => step(bytes));
        }

        // Beside a byte-level vocabulary added tokens are plain text; elsewhere they hold marks like the others.
        return !contents.TryGetValue(id, out byte[]? content) || _byteLevel
            ? content
            : steps.Aggregate(content, (bytes, step) => step(bytes));
    }

    private void AddStep(JsonElement json)
    {
        string type = json.TypeName();
        if (_strip is not null || (_fused && type != "Strip"))
        {
            throw new UsageException($"the decoder {JsonFields.Show(type)} after Fuse is not supported");
        }

        switch (type)
        {
            case "ByteLevel":
                AddByteLevel();
                break;
            case "ByteFallback":
                _steps.Add(FromByteToken);
                break;
            case "Fuse":
                _fused = true;
                break;
            case "Metaspace":
                AddMetaspace(json);
                break;
            case "Replace":
                byte[] pattern = PatternReader.ReadLiteral(json.Required("pattern"));
                byte[] content = json.Utf8Field("content");
                if (content.Length > MaxContent)
                {
                    throw new UsageException($"\"content\" of the decoder Replace is longer than {MaxContent} bytes");
                }

                _steps.Add(token => Replace(token, pattern, content));
                break;
            case "Strip":
                AddStrip(json);
                break;
            default:
                throw new UsageException(
                    $"the decoder {JsonFields.Show(type)} is not supported; known are ByteLevel, ByteFallback, Fuse, Metaspace, Replace, Strip, Sequence");
        }
    }

    private void AddByteLevel()
    {
        _byteLevel = true;
        _steps.Add(token =>
        {
            var bytes = new ByteBuffer();
            return ByteLevelAlphabet.TryUnmap(token, bytes) ? bytes.Written.ToArray() : token;
        });
    }

    private void AddMetaspace(JsonElement json)
    {
        if (_whenFirst is not null || _steps.Count > 0)
        {
            throw new UsageException("the decoder Metaspace after another is not supported");
        }

        byte[] mark = Encoding.UTF8.GetBytes(json.TextField("replacement", "\u2581"));
        _steps.Add(token => Replace(token, mark, " "u8.ToArray()));
        if (PreTokenizerReader.Scheme(json) != PrependScheme.Never)
        {
            _whenFirst = token => Replace(token, mark, []);
        }
    }

    private void AddStrip(JsonElement json)
    {
        byte[] text = json.Utf8Field("content");
        int start = json.Required("start").Number("start", int.MaxValue);
        int end = json.Required("stop").Number("stop", int.MaxValue);
        if (text.Length == 0)
        {
            throw new UsageException("\"content\" of the decoder Strip is empty");
        }

        if (_fused)
        {
            _strip = (text, start, end);
        }
        else
        {
            _steps.Add(token => TokenDecoder.Cut(token, text, start, end).ToArray());
        }
    }

    private static byte[] FromByteToken(byte[] token) => BpeModel.ByteOf(token) is int value and >= 0 ? [(byte)value] : token;

    private static byte[] Replace(byte[] token, byte[] pattern, byte[] content)
    {
        if (pattern.Length == 0)
        {
            return token;
        }

        var replaced = new ByteBuffer();
        ReadOnlySpan<byte> rest = token;
        for (int at = rest.IndexOf(pattern); at >= 0; at = rest.IndexOf(pattern))
        {
            replaced.Add(rest[..at]);
            replaced.Add(content);
            rest = rest[(at + pattern.Length)..];
        }

        replaced.Add(rest);
        return replaced.Written.ToArray();
    }
}
