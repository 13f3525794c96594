using QApollo.Training;

namespace QApollo.Runs.TensorBoard;

/// <summary>Writes what a run does for TensorBoard: scalars of steps and validations, text samples, the run's options.</summary>
public sealed class TensorBoardLog : IRunObserver, IDisposable
{
    // Summary.Value: tag, simple_value, tensor, metadata; SummaryMetadata: plugin_data; PluginData: plugin_name; TensorProto: dtype, tensor_shape, string_val.
    private const int ValueField = 1, TagField = 1, ScalarField = 2, TensorField = 8, MetadataField = 9;
    private const int PluginField = 1, PluginNameField = 1, DTypeField = 1, ShapeField = 2, StringField = 8, DimensionField = 2, SizeField = 1;
    private const int StringDType = 7;

    private readonly string _folder;
    private readonly Action<string> _warn;
    private EventFile? _file;

    /// <param name="folder">The run's, which exists: `tensorboard --logdir` takes it, or the one above.</param>
    /// <param name="completedSteps">Of a run that is gone on with: what earlier files tell of later steps is hidden.</param>
    /// <param name="options">Name and value of each option; shown as a table.</param>
    /// <param name="warn">Takes the line that says why nothing more is written: a log is no reason to end a run.</param>
    /// <param name="time">Null for the system's.</param>
    public TensorBoardLog(
        string folder, int completedSteps, IEnumerable<(string Name, string Value)> options, Action<string> warn, TimeProvider? time = null)
    {
        (_folder, _warn) = (folder, warn);
        Try(() => _file = new EventFile(folder, completedSteps > 0 ? completedSteps : null, time ?? TimeProvider.System));
        string table = string.Concat(options.Select(option => $"| {Cell(option.Name)} | {Cell(option.Value)} |\n"));
        Write(completedSteps, Text("options", "| option | value |\n| --- | --- |\n" + table));
    }

    public void OnStep(in StepResult result, double tokensPerSecond) => Write(
        result.Step, Scalar("train/loss", result.Loss), Scalar("train/learning_rate", result.LearningRate), Scalar("train/gradient_norm", result.GradientNorm),
        Scalar("train/changed_share", result.ChangedShare), Scalar("speed/tokens_per_second", tokensPerSecond));

    public void OnValidation(int completedSteps, double loss) => Write(completedSteps, Scalar("validation/loss", loss));

    /// <summary>As Markdown: four spaces make a line that is shown as it is.</summary>
    public void OnSample(int completedSteps, string text) =>
        Write(completedSteps, Text("sample", string.Concat(text.ReplaceLineEndings("\n").Split('\n').Select(line => $"    {line}\n"))));

    public void OnRewind(int completedSteps) => Try(() => _file?.Restart(completedSteps));

    public void OnSaved(string checkpoint)
    {
    }

    public void OnWarning(string message)
    {
    }

    public void Dispose() => _file?.Dispose();

    /// <summary>Null for what was not measured.</summary>
    private static ProtoMessage? Scalar(string tag, double value) => double.IsNaN(value) ? null : new ProtoMessage().Text(TagField, tag).Real(ScalarField, (float)value);

    /// <summary>A tensor of one string, which the plugin for texts shows.</summary>
    private static ProtoMessage Text(string tag, string value)
    {
        var shape = new ProtoMessage().Message(DimensionField, new ProtoMessage().Integer(SizeField, 1));
        var plugin = new ProtoMessage().Message(PluginField, new ProtoMessage().Text(PluginNameField, "text"));
        return new ProtoMessage()
            .Text(TagField, tag)
            .Message(TensorField, new ProtoMessage().Integer(DTypeField, StringDType).Message(ShapeField, shape).Text(StringField, value))
            .Message(MetadataField, plugin);
    }

    private static string Cell(string text) => text.Replace("|", "\\|", StringComparison.Ordinal).ReplaceLineEndings(" ");

    private void Write(int step, params ReadOnlySpan<ProtoMessage?> values)
    {
        if (_file is null)
        {
            return;
        }

        var summary = new ProtoMessage();
        foreach (ProtoMessage? value in values)
        {
            _ = value is null ? summary : summary.Message(ValueField, value);
        }

        Try(() => _file.WriteSummary(step, summary));
    }

    private void Try(Action write)
    {
        try
        {
            write();
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            _file?.Dispose();
            _file = null;
            _warn($"--tensorboard: {_folder}: cannot be written: {exception.Message}; the run goes on without");
        }
    }
}
