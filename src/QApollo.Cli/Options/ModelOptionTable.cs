using QApollo.Devices;
using QApollo.Models;

namespace QApollo.Cli.Options;

/// <summary>Options that say which trained model to use; shared by the commands that do not train.</summary>
internal static class ModelOptionTable
{
    public const string Group = "Model";

    public static OptionSpec<string> Checkpoint { get; } = Spec.Text(
        "--checkpoint", Group, "The model.", "a path: a run's folder (its newest checkpoint), a checkpoint, or a Hugging Face model", null);

    public static OptionSpec<string> Tokenizer { get; } = Spec.Text(
        "--tokenizer", Group, "How text becomes tokens.", DataOptionTable.TokenizerRange, null,
        "that of the run, or of the model's folder");

    public static OptionSpec<WeightFormat> Weights { get; } = Spec.Choice(
        "--weights", Group, "Storage of the attention and MLP matrices.", (WeightFormat)(-1), "as in the file; f16 becomes f32",
        [("int8", WeightFormat.Int8), ("bf16", WeightFormat.BF16), ("f32", WeightFormat.F32)]);

    public static OptionSpec<MemorySpace> LayersIn { get; } = Spec.Choice(
        "--layers", Group, "Where the layers' matrices wait between their uses.", (MemorySpace)(-1), "device where the model fits, else host",
        [("device", MemorySpace.Device), ("host", MemorySpace.PinnedHost)]);

    public static FlagSpec Json { get; } = Spec.Flag("--json", "Output", "Print JSON for programs.");
}
