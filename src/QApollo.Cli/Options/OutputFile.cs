namespace QApollo.Cli.Options;

/// <summary>A file that a command is asked to write; checked before the work is done.</summary>
internal static class OutputFile
{
    public static FlagSpec Force { get; } = Spec.Flag("--force", "Output", "Write over files that exist.", transient: true);

    /// <param name="option">Null values, of an option that is not given, are fine.</param>
    /// <exception cref="UsageException">The file exists and may not be written over, or its folder does not exist.</exception>
    public static void Require(OptionValues values, OptionSpec<string> option)
    {
        if (values.GetText(option) is { } path)
        {
            Require(option, path, values.Get(Force));
        }
    }

    /// <param name="mayReplace">What has the name already.</param>
    /// <param name="what">That it is and must not be, for the message.</param>
    /// <inheritdoc cref="Require(OptionValues, OptionSpec{string})" path="/exception"/>
    public static void Require(OptionSpec<string> option, string path, bool mayReplace, string what = "exists")
    {
        if (Directory.Exists(path))
        {
            throw new UsageException($"{option.Name}: {path} is a folder; name a file");
        }

        if (Path.Exists(path) && !mayReplace)
        {
            throw new UsageException($"{option.Name}: {path} {what}; name another file, or write over it with {Force.Name}");
        }

        string folder = Path.GetDirectoryName(Path.GetFullPath(path))!;
        if (!Directory.Exists(folder))
        {
            throw new UsageException($"{option.Name}: there is no folder {folder}; make it, or name another file");
        }
    }
}
