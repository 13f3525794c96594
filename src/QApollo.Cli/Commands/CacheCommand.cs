using System.CommandLine;
using System.Globalization;
using QApollo.Cli.Options;
using QApollo.Cli.Views;
using QApollo.Data;
using QApollo.Memory;
using D = QApollo.Cli.Options.DataOptionTable;

namespace QApollo.Cli.Commands;

/// <summary>`qapollo cache list` and `qapollo cache clean`: prepared datasets, which can be made again from their text.</summary>
internal static class CacheCommand
{
    private static readonly OptionSpec<string> MaxSize = SizeOption.Create("--max-size", D.Group, "What may stay: datasets that were not used for longest go.", "0B");

    public static Command Create()
    {
        var list = new Command("list", "List the prepared datasets, the one that was used last first.");
        var listLine = new CommandLine(list, [D.CacheDir]);
        list.SetAction(parsed => List(listLine.ReadOrThrow(parsed)));
        var clean = new Command("clean", "Remove prepared datasets: all, or those that were not used for longest.");
        var cleanLine = new CommandLine(clean, [D.CacheDir, MaxSize]);
        clean.SetAction(parsed => Clean(cleanLine.ReadOrThrow(parsed)));
        var command = new Command("cache", "See and remove prepared datasets.");
        command.Subcommands.Add(list);
        command.Subcommands.Add(clean);
        return command;
    }

    private static int List(OptionValues values)
    {
        string folder = FolderOf(values);
        IReadOnlyList<CachedDataset> datasets = new DatasetCache(folder).List();
        string total = $"{Count(datasets)}, {ByteSize.Format(datasets.Sum(dataset => dataset.Bytes))}, in {folder}";
        if (datasets.Count == 0)
        {
            Console.WriteLine(total);
            return ExitCode.Success;
        }

        TextTable.Write(
            total, ["dataset", "size", "used", "tokens", "made of"],
            datasets.Select(dataset => (string[])
            [
                Path.GetFileName(dataset.Folder), ByteSize.Format(dataset.Bytes),
                dataset.Used.ToLocalTime().ToString("yyyy-MM-dd HH:mm", CultureInfo.InvariantCulture),
                dataset.Manifest?.Tokens.ToString("N0", CultureInfo.InvariantCulture) ?? "-", SourceOf(dataset),
            ]),
            1, 3);
        return ExitCode.Success;
    }

    private static int Clean(OptionValues values)
    {
        string folder = FolderOf(values);
        var cache = new DatasetCache(folder);
        IReadOnlyList<CachedDataset> removed = cache.Clean(SizeOption.Bytes(values.Get(MaxSize)));
        IReadOnlyList<CachedDataset> left = cache.List();
        Console.WriteLine(
            $"removed {Count(removed)}, {ByteSize.Format(removed.Sum(dataset => dataset.Bytes))}; {Count(left)}, {ByteSize.Format(left.Sum(dataset => dataset.Bytes))}, left in {folder}");
        return ExitCode.Success;
    }

    private static string FolderOf(OptionValues values) => Path.GetFullPath(values.GetText(D.CacheDir) ?? PreparationOptions.DefaultCacheFolder);

    private static string Count(IReadOnlyList<CachedDataset> datasets) =>
        string.Create(CultureInfo.InvariantCulture, $"{datasets.Count:N0} dataset{(datasets.Count == 1 ? string.Empty : "s")}");

    private static string SourceOf(CachedDataset dataset) => dataset.Manifest switch
    {
        _ when dataset.IsHeld => "(being prepared)",
        null => "(unfinished or damaged)",
        { Sources.Count: > 1 } manifest => $"{manifest.Sources[0].Path} and {manifest.Sources.Count - 1} more, by {manifest.Tokenizer.Description}",
        { Sources.Count: 0 } manifest => $"nothing, by {manifest.Tokenizer.Description}",
        { } manifest => $"{manifest.Sources[0].Path}, by {manifest.Tokenizer.Description}",
    };
}
