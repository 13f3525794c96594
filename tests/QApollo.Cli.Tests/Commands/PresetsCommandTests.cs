using System.Text.Json;
using QApollo.Models;
using Xunit;

namespace QApollo.Cli.Tests.Commands;

public class PresetsCommandTests
{
    [Fact]
    public void The_table_has_a_line_for_each_with_parameters_and_learning_rate()
    {
        string[] lines = QApolloProcess.Run("presets").Output.ReplaceLineEndings("\n").TrimEnd('\n').Split('\n');
        Assert.Equal(LlamaPresets.All.Count + 1, lines.Length);
        string line = Assert.Single(lines, line => line.StartsWith("llama3-8b ", StringComparison.Ordinal));
        Assert.Equal(["llama3-8b", "8,030,261,248", "0.005", "4096", "32", "32/8", "128,256", "8192"], line.Split(' ', StringSplitOptions.RemoveEmptyEntries)[..8]);
    }

    [Fact]
    public void The_JSON_has_the_same()
    {
        JsonElement presets = JsonDocument.Parse(QApolloProcess.Run("presets", "--json").Output).RootElement;
        Assert.Equal(LlamaPresets.All.Select(preset => preset.Name), presets.EnumerateArray().Select(preset => preset.GetProperty("name").GetString()));
        Assert.Equal(
            LlamaPresets.All.Select(preset => (preset.Config.ParameterCount, preset.LearningRate)),
            presets.EnumerateArray().Select(preset => (preset.GetProperty("parameters").GetInt64(), preset.GetProperty("learningRate").GetDouble())));
    }
}
