using QApollo.Cli.Views;
using QApollo.Data;
using D = QApollo.Cli.Options.DataOptionTable;

namespace QApollo.Cli.Options;

/// <summary>Turns data options into prepared data.</summary>
internal static class DataSettings
{
    /// <summary>Text of the SDK that a run without --data looks at: enough for the demo, and read in a second.</summary>
    private const long SdkTextBytes = 16L << 20;

    public static PreparationOptions ToPreparationOptions(OptionValues values, ulong seed)
    {
        int threads = values.Get(D.Threads);
        var options = new PreparationOptions
        {
            Data = values.Get(D.Data),
            ValidationData = values.Get(D.ValidData),
            TextField = values.Get(D.TextField),
            Strict = values.Get(D.Strict),
            HeldOutFraction = values.Get(D.ValidShare),
            SplitSeed = seed,
            CacheLimit = SizeOption.Bytes(values.Get(D.CacheLimit)),
            Threads = threads == 0 ? Environment.ProcessorCount : threads,
        };
        return values.GetText(D.CacheDir) is { } cache ? options with { CacheFolder = cache } : options;
    }

    /// <summary>Adds the paths of --data and --valid-data that do not exist to <paramref name="errors"/>.</summary>
    public static void CheckPaths(OptionValues values, List<string> errors) => errors.AddRange(
        from option in (ListSpec[])[D.Data, D.ValidData]
        from path in Paths(values.Get(option), errors)
        where !File.Exists(path) && !Directory.Exists(path)
        select $"{option.Name}: {path}: no such file or folder");

    private static string[] Paths(string[] data, List<string> errors)
    {
        try
        {
            return [.. MixtureParser.Paths(data)];
        }
        catch (RunFailedException e)
        {
            errors.Add(e.Message);
        }
        catch (UsageException e)
        {
            errors.Add(e.Message);
        }

        return [];
    }

    /// <summary>The data of --data; without it, the .NET SDK's documentation, or where no SDK is the bundled text, in memory.</summary>
    /// <exception cref="UsageException">There is no text where the options point, or it is broken.</exception>
    public static TrainingData Prepare(
        OptionValues values, ITokenizer tokenizer, ulong seed, IProgress<PreparationProgress> progress, TextWriter output, CancellationToken stop)
    {
        if (values.Get(D.Data).Length > 0)
        {
            return TrainingData.Prepare(ToPreparationOptions(values, seed), tokenizer, values.Get(D.WhenExhausted), progress, stop);
        }

        SdkDocumentation? documentation = SdkDocumentation.TryFind();
        output.WriteLine($"no --data: {documentation?.Description ?? BundledText.Description}");
        IEnumerable<ReadOnlyMemory<byte>> documents = documentation?.ReadDocuments(SdkTextBytes) ?? BundledText.ReadDocuments();
        return TrainingData.Of(PreparedData.InMemory(tokenizer, documents, values.Get(D.ValidShare), seed));
    }

    /// <summary>Text to score: nothing is held out. Progress and notes go to standard error.</summary>
    /// <exception cref="UsageException">There is no text at the paths, or it is broken.</exception>
    public static PreparedData PrepareForScoring(OptionValues values, string[] paths, ITokenizer tokenizer, CancellationToken stop)
    {
        PreparationOptions options = ToPreparationOptions(values, seed: 0) with { Data = paths, HeldOutFraction = 0 };
        PreparedData data;
        using (var view = new PreparationView(Terminal.Error, !Console.IsErrorRedirected))
        {
            data = CorpusPreparation.Prepare(options, tokenizer, view, stop);
        }

        foreach (string note in data.Notes)
        {
            Console.Error.WriteLine($"note: {note}");
        }

        return data;
    }
}
