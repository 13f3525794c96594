using System.CommandLine;
using QApollo.Models;

namespace QApollo.Quality;

/// <summary>Options that mean the same in every command.</summary>
internal static class SharedOptions
{
    public static Option<string[]> Data { get; } = new("--data") { Description = "Text; the .NET SDK's documentation unless given.", AllowMultipleArgumentsPerToken = true };

    public static Option<string> Model { get; } = new("--model") { Description = "A preset.", DefaultValueFactory = _ => "demo" };

    public static Option<int> Steps { get; } = new("--steps") { Description = "Updates.", DefaultValueFactory = _ => 1000 };

    /// <exception cref="UsageException">There is no such preset.</exception>
    public static LlamaConfig ModelOf(ParseResult parsed) => PresetOf(Model, parsed.GetValue(Model)!);

    /// <exception cref="UsageException">There is no such preset.</exception>
    public static LlamaConfig PresetOf(Option option, string name) =>
        LlamaPresets.TryFind(name)?.Config ?? throw new UsageException($"{option.Name}: '{name}' is no preset");
}
