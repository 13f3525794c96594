namespace QApollo.Models;

/// <summary>
/// The shape of a LLaMA (Hugging Face <c>LlamaForCausalLM</c>) and the constants of its formulas.
/// <see cref="LlamaConfigJson"/> reads and writes it as <c>config.json</c>.
/// </summary>
public sealed record LlamaConfig
{
    /// <summary>More layers than any LLaMA has; keeps a mistyped file from asking for a table of billions of tensors.</summary>
    public const int MaxLayers = 10_000;
    private const int MaxSize = 1 << 30;

    /// <summary>Features of the residual stream.</summary>
    public required int HiddenSize { get; init; }

    /// <summary>Features between the two halves of the SwiGLU.</summary>
    public required int IntermediateSize { get; init; }

    public required int NumHiddenLayers { get; init; }

    public required int NumAttentionHeads { get; init; }

    /// <summary>Key/value heads; divides <see cref="NumAttentionHeads"/>, equal to it without grouped queries.</summary>
    public required int NumKeyValueHeads { get; init; }

    /// <summary>Features per head; even (rotary embedding pairs them). Usually HiddenSize / NumAttentionHeads.</summary>
    public required int HeadDim { get; init; }

    public required int VocabSize { get; init; }

    /// <summary>The longest sequence the model is meant for.</summary>
    public required int MaxPositionEmbeddings { get; init; }

    /// <summary>Added to the mean square under the root of RMSNorm.</summary>
    public double RmsNormEps { get; init; } = 1e-6;

    /// <summary>Base of the rotary frequencies theta^(-2i / HeadDim).</summary>
    public double RopeTheta { get; init; } = 10_000;

    /// <summary>The output head is the embedding table.</summary>
    public bool TieWordEmbeddings { get; init; }

    /// <summary>Standard deviation of the initial weights.</summary>
    public double InitializerRange { get; init; } = 0.02;

    /// <summary>Start token of the tokenizer that the model belongs to; null where there is none.</summary>
    public int? BosTokenId { get; init; }

    /// <summary>End token of the tokenizer that the model belongs to; null where there is none.</summary>
    public int? EosTokenId { get; init; }

    /// <summary>Output features of the query projection.</summary>
    public int QuerySize => NumAttentionHeads * HeadDim;

    /// <summary>Output features of the key and of the value projection.</summary>
    public int KeyValueSize => NumKeyValueHeads * HeadDim;

    /// <summary>Trainable values of one layer: attention and MLP matrices and two norms.</summary>
    public long ParametersPerLayer => checked(
        2L * HiddenSize * QuerySize + 2L * HiddenSize * KeyValueSize + 3L * HiddenSize * IntermediateSize + 2L * HiddenSize);

    /// <summary>Trainable values of the model; a tied head counts once.</summary>
    public long ParameterCount => checked(
        (TieWordEmbeddings ? 1L : 2L) * VocabSize * HiddenSize + NumHiddenLayers * ParametersPerLayer + HiddenSize);

    /// <summary>Checks that sizes are positive and fit together.</summary>
    /// <param name="source">Where the values come from, for the message: a file or a preset.</param>
    /// <returns>This configuration.</returns>
    /// <exception cref="UsageException">They do not; the message names the first fault.</exception>
    public LlamaConfig Validate(string source)
    {
        Positive(HiddenSize, "hidden_size");
        Positive(IntermediateSize, "intermediate_size");
        Positive(NumHiddenLayers, "num_hidden_layers");
        Positive(NumAttentionHeads, "num_attention_heads");
        Positive(NumKeyValueHeads, "num_key_value_heads");
        Positive(HeadDim, "head_dim");
        Positive(VocabSize, "vocab_size");
        Positive(MaxPositionEmbeddings, "max_position_embeddings");
        Positive(RmsNormEps, "rms_norm_eps");
        Positive(RopeTheta, "rope_theta");
        Positive(InitializerRange, "initializer_range");
        Token(BosTokenId, "bos_token_id");
        Token(EosTokenId, "eos_token_id");

        CountableIn32Bits(HiddenSize, "hidden_size");
        CountableIn32Bits(IntermediateSize, "intermediate_size");
        CountableIn32Bits(VocabSize, "vocab_size");
        if (NumHiddenLayers > MaxLayers)
        {
            throw Wrong($"num_hidden_layers is {NumHiddenLayers}; at most {MaxLayers} are supported");
        }

        if (NumAttentionHeads % NumKeyValueHeads != 0)
        {
            throw Wrong($"num_attention_heads {NumAttentionHeads} is not a multiple of num_key_value_heads {NumKeyValueHeads}");
        }

        if (HeadDim % 2 != 0)
        {
            throw Wrong($"head_dim is {HeadDim}; rotary embeddings need an even number");
        }

        if ((long)NumAttentionHeads * HeadDim > int.MaxValue)
        {
            throw Wrong($"num_attention_heads {NumAttentionHeads} times head_dim {HeadDim} is more than {int.MaxValue} features");
        }

        // Sixteen bytes a parameter (F32 weight, gradient and two moments) must stay countable in 64 bits.
        if (ApproximateParameterCount > long.MaxValue / 16)
        {
            throw Wrong($"the sizes give a model of {ApproximateParameterCount:G3} parameters, which cannot be addressed");
        }

        return this;

        void Positive(double value, string name)
        {
            // As binary32, because that is what the devices compute with.
            if (!((float)value > 0) || !float.IsFinite((float)value))
            {
                throw Wrong($"{name} is {value}; it must be positive and finite");
            }
        }

        // Rows are walked in slices: the row behind the last slice must have a number, too.
        void CountableIn32Bits(int size, string name)
        {
            if (size > MaxSize)
            {
                throw Wrong($"{name} is {size}; at most {MaxSize} is supported");
            }
        }

        void Token(int? id, string name)
        {
            if (id is int value && (value < 0 || value >= VocabSize))
            {
                throw Wrong($"{name} is {value}; token ids are 0 to {VocabSize - 1} (vocab_size {VocabSize})");
            }
        }

        UsageException Wrong(string what) => new($"{source}: {what}");
    }

    /// <summary><see cref="ParameterCount"/> in floating point, where nothing overflows.</summary>
    private double ApproximateParameterCount =>
        2.0 * VocabSize * HiddenSize + NumHiddenLayers * (2.0 * HiddenSize * QuerySize + 2.0 * HiddenSize * KeyValueSize + 3.0 * HiddenSize * IntermediateSize);
}
