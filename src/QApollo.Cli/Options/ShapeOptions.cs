using QApollo.Models;
using T = QApollo.Cli.Options.TrainOptionTable;

namespace QApollo.Cli.Options;

/// <summary>Options that change the shape of a preset: --n-layer and the like.</summary>
internal static class ShapeOptions
{
    /// <summary>The preset with the sizes that are given; what follows from them (features per head) follows.</summary>
    /// <exception cref="UsageException">The sizes do not fit together.</exception>
    public static LlamaPreset Apply(OptionValues values, LlamaPreset preset)
    {
        if (!T.Shape.Any(values.IsGiven))
        {
            return preset;
        }

        LlamaConfig config = preset.Config;
        int Size(OptionSpec<int> option, int own) => values.IsGiven(option) ? values.Get(option) : own;
        int hidden = Size(T.HiddenSize, config.HiddenSize);
        int heads = Size(T.Heads, config.NumAttentionHeads);
        bool isGrouped = config.NumKeyValueHeads != config.NumAttentionHeads;
        if (hidden % heads != 0)
        {
            throw new UsageException($"--n-head: {heads} heads do not divide a hidden size of {hidden} (--hidden-size) evenly");
        }

        config = config with
        {
            NumHiddenLayers = Size(T.Layers, config.NumHiddenLayers),
            NumAttentionHeads = heads,
            NumKeyValueHeads = Size(T.KeyValueHeads, isGrouped ? config.NumKeyValueHeads : heads),
            HiddenSize = hidden,
            HeadDim = values.IsGiven(T.HiddenSize) || values.IsGiven(T.Heads) ? hidden / heads : config.HeadDim,
            IntermediateSize = Size(T.IntermediateSize, config.IntermediateSize),
        };
        return preset with { Config = config.Validate($"--model {preset.Name} with {string.Join(' ', T.Shape.Where(values.IsGiven).Select(values.Typed))}") };
    }

    /// <exception cref="UsageException">One is given.</exception>
    public static void RequireNone(OptionValues values)
    {
        if (T.Shape.FirstOrDefault(values.IsGiven) is { } option)
        {
            throw new UsageException($"{option.Name}: is for presets; the shape of {values.Get(T.Model)} is that of its config.json");
        }
    }
}
