using QApollo.Checkpoints;
using QApollo.Cli.Options;
using QApollo.Cli.Views;
using QApollo.Data;
using QApollo.Devices;
using QApollo.Inference;
using QApollo.Models;

namespace QApollo.Cli.Commands;

/// <summary>Scores a text with a model's weights in several forms.</summary>
internal sealed class ExportScore : IDisposable
{
    private const int BatchSize = 4;

    private readonly ModelFolder _folder;
    private readonly ITokenizer _tokenizer;
    private readonly PreparedData _data;
    private readonly ValidationBatches _batches;
    private readonly IDevice _device;
    private readonly CancellationToken _stop;

    public ExportScore(OptionValues values, string[] data, OptionSpec<long> maxTokensOption, ModelFolder folder, ITokenizer tokenizer, CancellationToken stop)
    {
        (_folder, _tokenizer, _stop) = (folder, tokenizer, stop);
        _data = DataSettings.PrepareForScoring(values, data, tokenizer, stop);
        int length = ModelSettings.ScoredLength(folder);
        _batches = new ValidationBatches(
            _data.Train, new BatchOptions(BatchSize, length, folder.Config.VocabSize, tokenizer.EndOfDocument), values.Get(maxTokensOption) == 0 ? long.MaxValue : values.Get(maxTokensOption));
        Note = ModelSettings.WholeSequences(maxTokensOption, values, _batches);
        _device = DeviceChoice.OpenFor(values);
    }

    /// <summary>What a person should know of the number of tokens; null for nothing.</summary>
    public string? Note { get; }

    /// <summary>Tokens scored.</summary>
    public long Tokens { get; private set; }

    /// <param name="formats">How the device keeps the weights.</param>
    public double Perplexity(IWeightSource weights, WeightFormats formats)
    {
        var options = new InferenceOptions
        {
            Model = _folder.Config,
            Weights = formats,
            BatchSize = _batches.Options.BatchSize,
            SequenceLength = _batches.Options.SequenceLength,
        };
        using var model = new InferenceModel(weights, options, _device);
        using var progress = new CountView(Terminal.Error, "scoring", _batches.Count, !Console.IsErrorRedirected);
        DataScore score = DataScore.Measure(model, _batches, _tokenizer, progress, _stop);
        Tokens = score.Tokens;
        return score.Perplexity;
    }

    public void Dispose()
    {
        _device.Dispose();
        _data.Dispose();
    }
}
