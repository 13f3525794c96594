using System.Text.Json;
using QApollo.Memory;
using QApollo.Models;
using QApollo.Optimizers;
using QApollo.TestSupport;
using QApollo.TestSupport.Contract;
using QApollo.TestSupport.Goldens;
using Xunit;

namespace QApollo.Tests.Optimizers;

/// <summary>SCALE, SinkGD and RACS follow a reference in binary64 (tools/reference/optimizers).</summary>
public class NormalizedOptimizerTests
{
    private static readonly JsonElement[] s_cases = [.. JsonDocument.Parse(File.ReadAllText(Path.Combine(GoldenFolder.RepositoryRoot, "tests", "goldens", "normalized_optimizers.json"))).RootElement.GetProperty("cases").EnumerateArray()];

    public static TheoryData<string> Names => [.. s_cases.Select(golden => golden.GetProperty("name").GetString()!)];

    [Theory]
    [MemberData(nameof(Names))]
    public void Weights_and_state_follow_the_reference(string name)
    {
        JsonElement golden = s_cases.Single(golden => golden.GetProperty("name").GetString() == name);
        using OptimizerHarness harness = Harness(
            golden.GetProperty("rule").GetString()!, golden.GetProperty("role").GetString()!, golden.GetProperty("rows").GetInt32(), golden.GetProperty("columns").GetInt32(),
            golden.GetProperty("rounds").GetInt32());
        harness.Values = Floats(golden.GetProperty("initial"));
        uint step = 0;
        foreach (JsonElement update in golden.GetProperty("updates").EnumerateArray())
        {
            harness.Step(++step, update.GetProperty("rate").GetDouble(), Floats(update.GetProperty("gradient")));
            Compare.AllClose(harness.Values, Floats(update.GetProperty("weights")), 2e-6, 0, $"weights after update {step}");
        }

        JsonElement[] state = [.. golden.GetProperty("state").EnumerateArray()];
        Assert.Equal(state.Length, harness.Optimizer.State.Count);
        for (int i = 0; i < state.Length; i++)
        {
            float[] expected = Floats(state[i]);
            Compare.AllClose(harness.State(i), expected, 2e-6 * expected.Max(MathF.Abs), 2e-5, $"state {i}");
        }
    }

    /// <summary>NaN reaches neither state nor, of SinkGD and RACS, weights that it has to do with; SCALE's other rows go on.</summary>
    [Theory]
    [InlineData("scale")]
    [InlineData("sinkgd")]
    [InlineData("racs")]
    public void A_gradient_that_is_not_finite_leaves_weights_and_state_finite(string rule)
    {
        using OptimizerHarness harness = Harness(rule, rule == "scale" ? "head" : "matrix", 5, 4);
        float[] gradient = [.. new Samples(1).Normals(20).Select(value => (float)value)];
        harness.Values = [.. new Samples(2).Normals(20).Select(value => (float)value)];
        harness.Step(1, 0.01, gradient);
        float[] before = harness.Values;
        gradient[6] = float.NaN;
        harness.Step(2, 0.01, gradient);
        Assert.All(harness.Values, value => Assert.True(float.IsFinite(value)));
        Assert.Equal(before[6], harness.Values[6], rule == "scale" ? 0.1 : 0);
        Assert.All(Enumerable.Range(0, harness.Optimizer.State.Count).SelectMany(harness.State), value => Assert.True(float.IsFinite(value)));
        gradient[6] = 1;
        harness.Step(3, 0.01, gradient);
        Assert.NotEqual(before[6], harness.Values[6]);
    }

    /// <summary>Nothing for a matrix, two vectors and a number, the head's average.</summary>
    [Theory]
    [InlineData("scale", "matrix", 0)]
    [InlineData("scale", "embedding", 0)]
    [InlineData("scale", "head", 35)]
    [InlineData("sinkgd", "matrix", 0)]
    [InlineData("racs", "matrix", 13)]
    public void State_is_what_the_papers_say(string rule, string role, int expected)
    {
        using OptimizerHarness harness = Harness(rule, role, 5, 7);
        Assert.Equal(expected, harness.Optimizer.State.Sum(state => state.View.Elements));
    }

    private static OptimizerHarness Harness(string rule, string role, int rows, int columns, int rounds = 5)
    {
        var options = new OptimizerOptions { NormalizationRounds = rounds };
        ParameterRole parameterRole = role switch { "embedding" => ParameterRole.Embedding, "head" => ParameterRole.Head, _ => ParameterRole.Query };
        ParameterOptimizer Create(TensorTable table, Weight weight)
        {
            var scratch = new OptimizerScratch(table);
            return rule switch
            {
                "scale" => new ScaleOptimizer(table, weight, options, scratch, role == "head"),
                "sinkgd" => new SinkGdOptimizer(weight, options, scratch),
                _ => new RacsOptimizer(table, weight, options, scratch),
            };
        }

        return new OptimizerHarness(rows, columns, options, (table, weight, _) => Create(table, weight), parameterRole);
    }

    private static float[] Floats(JsonElement values) => [.. values.EnumerateArray().Select(value => (float)value.GetDouble())];
}
