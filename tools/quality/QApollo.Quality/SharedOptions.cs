using System.CommandLine;
using System.Globalization;
using System.Numerics;
using QApollo.Models;

namespace QApollo.Quality;

/// <summary>Options that mean the same in every command.</summary>
internal static class SharedOptions
{
    public static Option<string[]> Data { get; } = new("--data") { Description = "Text; the .NET SDK's documentation unless given.", AllowMultipleArgumentsPerToken = true };

    public static Option<string> Model { get; } = new("--model") { Description = "A preset.", DefaultValueFactory = _ => "demo" };

    public static Option<int> Steps { get; } = new("--steps") { Description = "Updates.", DefaultValueFactory = _ => 1000 };

    /// <exception cref="UsageException">The value is below what makes sense.</exception>
    public static T AtLeast<T>(ParseResult parsed, Option<T> option, T least)
        where T : INumber<T> => AtLeast(option, parsed.GetValue(option)!, least);

    /// <param name="option">Which was given.</param>
    /// <exception cref="UsageException">The value is below what makes sense.</exception>
    public static int AtLeast(ParseResult parsed, Option<int?> option, int least) => AtLeast(option, parsed.GetValue(option)!.Value, least);

    /// <exception cref="UsageException">There is no such preset.</exception>
    public static LlamaConfig ModelOf(ParseResult parsed) => PresetOf(Model, parsed.GetValue(Model)!);

    /// <exception cref="UsageException">There is no such preset.</exception>
    public static LlamaConfig PresetOf(Option option, string name) =>
        LlamaPresets.TryFind(name)?.Config ?? throw new UsageException($"{option.Name}: '{name}' is no preset");

    private static T AtLeast<T>(Option option, T value, T least)
        where T : INumber<T> => value >= least
            ? value
            : throw new UsageException(string.Create(CultureInfo.InvariantCulture, $"{option.Name}: {value} is too small; it takes {least} or more"));
}
