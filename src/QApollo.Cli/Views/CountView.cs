using QApollo.Files;

namespace QApollo.Cli.Views;

/// <summary>How much of some work of known size is done.</summary>
internal sealed class CountView(TextWriter output, string verb, long total, bool interactive) : IProgress<long>, IDisposable
{
    private readonly StageView _view = new(output, interactive);

    public void Report(long value) => _view.Report(new StageProgress(verb, value, total));

    public void Dispose() => _view.Dispose();
}
