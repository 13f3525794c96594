using System.Text;
using LLama.Native;

namespace QApollo.Interchange.Tests;

/// <summary>A GGUF file in llama.cpp itself: its tokenizer and its model, in F32 wherever that can be chosen.</summary>
internal sealed class LlamaCpp : IDisposable
{
    private const int ContextLength = 512;

    private readonly SafeLlamaModelHandle _model;
    private SafeLLamaContextHandle? _context;

    static LlamaCpp()
    {
        NativeLogConfig.llama_log_set((level, message) =>
        {
            if (level is LLamaLogLevel.Error or LLamaLogLevel.Warning)
            {
                Log.Append(message);
            }
        });

        // Finds the library of this machine.
        NativeApi.llama_empty_call();
    }

    public LlamaCpp(string path, bool vocabularyOnly = false)
    {
        Log.Clear();
        LLamaModelParams options = LLamaModelParams.Default();
        options.n_gpu_layers = 0;
        options.vocab_only = vocabularyOnly;
        _model = SafeLlamaModelHandle.LoadFromFile(path, options);
    }

    /// <summary>Warnings and errors of the newest model.</summary>
    public static StringBuilder Log { get; } = new();

    public int VocabularySize => _model.Vocab.Count;

    /// <param name="addSpecial">With the start token where the file says so.</param>
    /// <param name="parseSpecial">Texts of special tokens become them.</param>
    public int[] Tokenize(string text, bool addSpecial = false, bool parseSpecial = true) =>
        [.. _model.Tokenize(text, addSpecial, parseSpecial, Encoding.UTF8).Select(token => (int)token)];

    /// <summary>Logits behind every token of a sequence.</summary>
    /// <returns>[tokens][V].</returns>
    public float[][] Logits(ReadOnlySpan<int> tokens)
    {
        Restart();
        return Append(tokens, firstPosition: 0);
    }

    /// <summary>The likeliest token, again and again.</summary>
    public int[] Greedy(ReadOnlySpan<int> prompt, int count)
    {
        Restart();
        var generated = new int[count];
        float[] logits = Append(prompt, firstPosition: 0)[^1];
        for (int i = 0; i < count; i++)
        {
            generated[i] = Array.IndexOf(logits, logits.Max());
            logits = Append([generated[i]], prompt.Length + i)[0];
        }

        return generated;
    }

    public void Dispose()
    {
        _context?.Dispose();
        _model.Dispose();
    }

    private float[][] Append(ReadOnlySpan<int> tokens, int firstPosition)
    {
        var batch = new LLamaBatch();
        for (int i = 0; i < tokens.Length; i++)
        {
            batch.Add(tokens[i], firstPosition + i, LLamaSeqId.Zero, logits: true);
        }

        DecodeResult result = _context!.Decode(batch);
        if (result != DecodeResult.Ok)
        {
            throw new InvalidOperationException($"llama.cpp could not decode: {result}");
        }

        var logits = new float[tokens.Length][];
        for (int i = 0; i < tokens.Length; i++)
        {
            logits[i] = _context.GetLogitsIth(i).ToArray();
        }

        return logits;
    }

    private void Restart()
    {
        _context?.Dispose();
        LLamaContextParams options = LLamaContextParams.Default();
        options.n_ctx = ContextLength;
        options.n_batch = ContextLength;
        options.n_ubatch = ContextLength;
        options.n_threads = 2;
        options.n_threads_batch = 2;
        options.llama_flash_attn_type = LLamaFlashAttentionType.LLAMA_FLASH_ATTENTION_TYPE_DISABLED;
        options.type_k = GGMLType.GGML_TYPE_F32;
        options.type_v = GGMLType.GGML_TYPE_F32;
        _context = _model.CreateContext(options);
    }
}
