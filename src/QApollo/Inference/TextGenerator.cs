using System.Buffers;
using QApollo.Devices;

namespace QApollo.Inference;

/// <summary>Receives the bytes of a text as they come; a piece may end inside a character.</summary>
public delegate void TextSink(ReadOnlySpan<byte> utf8);

/// <summary>What was generated.</summary>
/// <param name="Tokens">The new tokens, without the end of the document.</param>
/// <param name="IsComplete">The model ended the document; otherwise the limit was reached, or the work stopped.</param>
public sealed record GeneratedText(IReadOnlyList<int> Tokens, bool IsComplete);

/// <summary>Lets a model continue a text.</summary>
/// <param name="endTokens">End a document, beside the tokenizer's own; null for none.</param>
public sealed class TextGenerator(CachedModel model, IDevice device, ITokenizer tokenizer, IEnumerable<int>? endTokens = null)
{
    private readonly int[] _endTokens = [tokenizer.EndOfDocument, .. endTokens ?? []];

    /// <summary>A prompt's tokens behind the token that a document begins after.</summary>
    /// <param name="startToken">The model's start token, or the end of the document before.</param>
    public static int[] PromptTokens(ITokenizer tokenizer, int startToken, ReadOnlySpan<byte> prompt)
    {
        var ids = new ArrayBufferWriter<int>();
        ids.Write([startToken]);
        tokenizer.Encode(prompt, ids);
        return ids.WrittenSpan.ToArray();
    }

    /// <summary>Continues a prompt until the document ends, the limit or the model's capacity is reached, or it is stopped.</summary>
    /// <param name="prompt">At least one token, and fewer than the model's capacity.</param>
    /// <param name="sink">Receives the new text.</param>
    /// <exception cref="RunFailedException">The model computes nothing sensible.</exception>
    public GeneratedText Generate(ReadOnlySpan<int> prompt, GenerationOptions options, TextSink? sink = null, CancellationToken stop = default)
    {
        var sampler = new TokenSampler(options, tokenizer.VocabularySize);
        var decoder = new IncrementalDecoder(tokenizer, prompt[^1]);
        var generated = new List<int>();
        model.Reset();
        ReadOnlySpan<float> logits = model.Append(device, prompt);
        while (generated.Count < options.MaxTokens && !stop.IsCancellationRequested)
        {
            int token = sampler.Choose(logits, generated.Count);
            if (_endTokens.Contains(token))
            {
                return new GeneratedText(generated, IsComplete: true);
            }

            generated.Add(token);
            sink?.Invoke(decoder.Append(token));
            if (model.Length == model.Capacity)
            {
                break;
            }

            if (generated.Count < options.MaxTokens)
            {
                logits = model.Append(device, [token]);
            }
        }

        return new GeneratedText(generated, IsComplete: false);
    }
}
