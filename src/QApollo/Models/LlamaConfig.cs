namespace QApollo.Models;

/// <summary>
/// The shape of a LLaMA-shaped model (<see cref="ModelArchitecture"/>) and the constants of its formulas.
/// <see cref="LlamaConfigJson"/> reads and writes it as <c>config.json</c>.
/// </summary>
public sealed record LlamaConfig
{
    /// <summary>More layers than any LLaMA has; keeps a mistyped file from asking for a table of billions of tensors.</summary>
    public const int MaxLayers = 10_000;

    /// <summary>The largest number of features and of token ids.</summary>
    public const int MaxSize = 1 << 30;


    /// <summary>The class whose tensor names and file keys the model has.</summary>
    public ModelArchitecture Architecture { get; init; }

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

    /// <summary>What <see cref="RopeTheta"/>'s frequencies become for long sequences; null for no change.</summary>
    public RotaryScaling? RopeScaling { get; init; }

    /// <summary>Query, key and value projections add a bias.</summary>
    public bool QueryKeyValueBias { get; init; }

    /// <summary>The attention's output projection adds a bias.</summary>
    public bool OutputBias { get; init; }

    /// <summary>Gate, up and down projections add a bias.</summary>
    public bool MlpBias { get; init; }

    /// <summary>Queries and keys pass an RMSNorm over each head's features, before the rotary embedding.</summary>
    public bool QueryKeyNorm { get; init; }

    /// <summary>
    /// A token attends to itself and the tokens before it, so many in all; null for all of them. Attention here has no
    /// window: sequences are at most that long, where it changes nothing (<see cref="RequireWithinWindow"/>).
    /// </summary>
    public int? SlidingWindow { get; init; }

    /// <summary>The output head is the embedding table.</summary>
    public bool TieWordEmbeddings { get; init; }

    /// <summary>Standard deviation of the initial weights.</summary>
    public double InitializerRange { get; init; } = 0.02;

    /// <summary>Start token of the tokenizer that the model belongs to; null where there is none.</summary>
    public int? BosTokenId { get; init; }

    /// <summary>End token of the tokenizer that the model belongs to; null where there is none.</summary>
    public int? EosTokenId { get; init; }

    /// <summary>Further tokens that end a text, such as the end of a chat's turn.</summary>
    public TokenIds OtherEosTokenIds { get; init; } = TokenIds.None;

    /// <summary>All tokens that end a text.</summary>
    public TokenIds EosTokenIds => EosTokenId is int first ? new TokenIds([first, .. OtherEosTokenIds]) : OtherEosTokenIds;

    /// <summary>The same model, whose documents end with a token. Where several ended a text, the others still do.</summary>
    public LlamaConfig WithEndToken(int end) => this with
    {
        EosTokenId = end,
        OtherEosTokenIds = OtherEosTokenIds.Count == 0 ? TokenIds.None : new TokenIds([.. EosTokenIds.Where(id => id != end)]),
    };

    /// <summary>Output features of the query projection.</summary>
    public int QuerySize => NumAttentionHeads * HeadDim;

    /// <summary>Output features of the key and of the value projection.</summary>
    public int KeyValueSize => NumKeyValueHeads * HeadDim;

    /// <summary>Trainable values of one layer: attention and MLP matrices, norms and biases.</summary>
    public long ParametersPerLayer => checked(
        2L * HiddenSize * QuerySize + 2L * HiddenSize * KeyValueSize + 3L * HiddenSize * IntermediateSize + 2L * HiddenSize
        + (QueryKeyValueBias ? QuerySize + 2L * KeyValueSize : 0) + (OutputBias ? HiddenSize : 0)
        + (MlpBias ? 2L * IntermediateSize + HiddenSize : 0) + (QueryKeyNorm ? 2L * HeadDim : 0));

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
        if (RopeScaling is { } scaling)
        {
            ValidateScaling(scaling);
        }

        if (SlidingWindow is int window)
        {
            Positive(window, "sliding_window");
        }

        ValidateArchitecture();
        Token(BosTokenId, "bos_token_id");
        Token(EosTokenId, "eos_token_id");
        foreach (int id in OtherEosTokenIds)
        {
            Token(id, "eos_token_id");
        }

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

        // What the class of the architecture cannot have could not be written to a config.json either.
        void ValidateArchitecture()
        {
            bool fits = Architecture switch
            {
                ModelArchitecture.Llama => OutputBias == QueryKeyValueBias,
                ModelArchitecture.Mistral => !QueryKeyValueBias && !OutputBias && !MlpBias,
                ModelArchitecture.Qwen2 => QueryKeyValueBias && !OutputBias && !MlpBias,
                ModelArchitecture.Qwen3 => OutputBias == QueryKeyValueBias && !MlpBias,
                _ => false,
            };
            if (!fits || QueryKeyNorm != (Architecture == ModelArchitecture.Qwen3))
            {
                throw Wrong($"a model of type {Architecture} has other biases or head norms");
            }
        }

        void ValidateScaling(RotaryScaling scaling)
        {
            if (!(scaling.Factor >= 1) || !float.IsFinite((float)scaling.Factor))
            {
                throw Wrong($"factor of the rotary scaling is {scaling.Factor}; it must be finite and at least 1");
            }

            if (scaling.Kind != RotaryScalingKind.Linear)
            {
                Positive(scaling.OriginalMaxPositionEmbeddings, "original_max_position_embeddings of the rotary scaling");
            }

            Positive(scaling.LowFreqFactor, "low_freq_factor");
            Positive(scaling.HighFreqFactor, "high_freq_factor");
            Positive(scaling.BetaFast, "beta_fast");
            Positive(scaling.BetaSlow, "beta_slow");
            Positive(scaling.AttentionFactor, "attention_factor");
            if (scaling.Kind == RotaryScalingKind.Llama3 && scaling.HighFreqFactor <= scaling.LowFreqFactor)
            {
                throw Wrong($"high_freq_factor {scaling.HighFreqFactor} is not above low_freq_factor {scaling.LowFreqFactor}");
            }

            if (scaling.Kind == RotaryScalingKind.Yarn && (scaling.BetaFast < scaling.BetaSlow || RopeTheta <= 1))
            {
                throw Wrong(
                    $"yarn needs a rope_theta above 1 and beta_fast of at least beta_slow; they are {RopeTheta}, {scaling.BetaFast} and {scaling.BetaSlow}");
            }
        }

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

    /// <summary>Checks that the attention window changes nothing for sequences of that length.</summary>
    /// <exception cref="UsageException">It would; the message says how long they may be.</exception>
    public void RequireWithinWindow(int sequenceLength)
    {
        if (SlidingWindow < sequenceLength)
        {
            throw new UsageException(
                $"sequences of {sequenceLength} tokens are longer than the model's attention window (sliding_window {SlidingWindow}), "
                + $"and attention here has none: use at most {SlidingWindow} tokens");
        }
    }

    /// <summary><see cref="ParameterCount"/> in floating point, where nothing overflows.</summary>
    private double ApproximateParameterCount =>
        2.0 * VocabSize * HiddenSize + NumHiddenLayers * (2.0 * HiddenSize * QuerySize + 2.0 * HiddenSize * KeyValueSize + 3.0 * HiddenSize * IntermediateSize);
}
