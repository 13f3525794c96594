using System.CommandLine;
using System.Globalization;
using System.Text.Json;
using QApollo.Cli.Options;
using QApollo.Cli.Views;
using QApollo.Models;

namespace QApollo.Cli.Commands;

/// <summary>`qapollo presets`: the models that --model knows by name.</summary>
internal static class PresetsCommand
{
    public static Command Create()
    {
        var command = new Command("presets", "List the model presets, with learning rates that are known to be good. The vocabulary is the published one; train takes the tokenizer's.");
        var commandLine = new CommandLine(command, [ModelOptionTable.Json]);
        command.SetAction(parsed => Execute(commandLine.ReadOrThrow(parsed).Get(ModelOptionTable.Json)));
        return command;
    }

    private static int Execute(bool json)
    {
        if (json)
        {
            PrintJson();
        }
        else
        {
            PrintTable();
        }

        return ExitCode.Success;
    }

    private static void PrintTable()
    {
        string[][] rows =
        [
            ["preset", "parameters", "--lr", "hidden", "layers", "heads", "vocabulary", "length", ""],
            .. LlamaPresets.All.Select(preset => (string[])
            [
                preset.Name, Count(preset.Config.ParameterCount), Text(preset.LearningRate), Text(preset.Config.HiddenSize),
                Text(preset.Config.NumHiddenLayers), Heads(preset.Config), Count(preset.Config.VocabSize),
                Text(preset.Config.MaxPositionEmbeddings), preset.Description,
            ]),
        ];
        int[] widths = [.. Enumerable.Range(0, rows[0].Length).Select(column => rows.Max(row => row[column].Length))];
        foreach (string[] row in rows)
        {
            // Names and descriptions to the left, numbers to the right.
            IEnumerable<string> cells = row.Select((cell, column) =>
                column == 0 || column == row.Length - 1 ? cell.PadRight(widths[column]) : cell.PadLeft(widths[column]));
            Console.WriteLine(string.Join("  ", cells).TrimEnd());
        }
    }

    private static void PrintJson()
    {
        using var stream = new MemoryStream();
        using (var writer = new Utf8JsonWriter(stream, JsonOutput.Options))
        {
            writer.WriteStartArray();
            foreach (LlamaPreset preset in LlamaPresets.All)
            {
                LlamaConfig config = preset.Config;
                writer.WriteStartObject();
                writer.WriteString("name", preset.Name);
                writer.WriteString("description", preset.Description);
                writer.WriteNumber("parameters", config.ParameterCount);
                writer.WriteNumber("learningRate", preset.LearningRate);
                writer.WriteNumber("hiddenSize", config.HiddenSize);
                writer.WriteNumber("intermediateSize", config.IntermediateSize);
                writer.WriteNumber("layers", config.NumHiddenLayers);
                writer.WriteNumber("heads", config.NumAttentionHeads);
                writer.WriteNumber("keyValueHeads", config.NumKeyValueHeads);
                writer.WriteNumber("vocabularySize", config.VocabSize);
                writer.WriteNumber("maxPositionEmbeddings", config.MaxPositionEmbeddings);
                writer.WriteEndObject();
            }

            writer.WriteEndArray();
        }

        JsonOutput.Print(stream);
    }

    /// <summary>Key/value heads only where they are fewer.</summary>
    private static string Heads(LlamaConfig config) => config.NumKeyValueHeads == config.NumAttentionHeads
        ? Text(config.NumAttentionHeads)
        : $"{Text(config.NumAttentionHeads)}/{Text(config.NumKeyValueHeads)}";

    private static string Count(long value) => value.ToString("N0", CultureInfo.InvariantCulture);

    private static string Text(IFormattable value) => value.ToString(null, CultureInfo.InvariantCulture);
}
