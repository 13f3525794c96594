using System.Text.Json;

namespace QApollo.TestSupport.Goldens;

/// <summary>
/// Every case of the golden data, as arguments of theories: what the manifests list, so that other sets of the same
/// layout run without new code. Use as <c>[MemberData(nameof(GoldenCases.Apollo), MemberType = typeof(GoldenCases))]</c>.
/// </summary>
public static class GoldenCases
{
    /// <summary>Set, shape, run: arguments of <see cref="ApolloGolden.Load"/>.</summary>
    public static IEnumerable<object[]> Apollo() => ShapesAndRuns("apollo_");

    /// <summary>Set, shape, run: arguments of <see cref="QApolloGolden.Load"/>.</summary>
    public static IEnumerable<object[]> QApollo() => ShapesAndRuns("q_apollo_");

    /// <summary>Set, run: for bounds that hold over all shapes of a run together.</summary>
    public static IEnumerable<object[]> QApolloRuns() =>
        QApollo().Select(arguments => (Set: arguments[0], Run: arguments[2])).Distinct().Select(run => (object[])[run.Set, run.Run]);

    /// <summary>Set, shape, run: arguments of <see cref="AdamGolden.Load"/>.</summary>
    public static IEnumerable<object[]> Adam() => ShapesAndRuns("adamw");

    /// <summary>Set, matrix: arguments of <see cref="Int8Golden.Load"/>.</summary>
    public static IEnumerable<object[]> Quantization() =>
        from set in GoldenFolder.Sets("int8_group_quant")
        from matrix in Names(set, "matrices")
        select (object[])[set, matrix];

    /// <summary>Set: argument of <see cref="LlamaGolden.Load"/>.</summary>
    public static IEnumerable<object[]> Llama() => GoldenFolder.SetsWithSubset("llama_forward_backward").Select(set => (object[])[set]);

    /// <summary>Set: argument of <see cref="TrainGolden.Load"/>.</summary>
    public static IEnumerable<object[]> Train() => GoldenFolder.Sets("llama_train_apollo").Select(set => (object[])[set]);

    /// <summary>Set, run: arguments of <see cref="QTrainGolden.Load"/>.</summary>
    public static IEnumerable<object[]> QTrain()
    {
        foreach (string set in GoldenFolder.Sets("llama_train_q_apollo"))
        {
            using JsonDocument manifest = Manifest(Path.Combine(set, "manifest.json"));
            foreach (JsonProperty run in manifest.RootElement.GetProperty("runs").EnumerateObject())
            {
                yield return [set, run.Name];
            }
        }
    }

    /// <summary>The shapes of a set as tensor names spell them: "24x40", or "33" for a vector.</summary>
    public static IReadOnlyList<string> Shapes(string set)
    {
        using JsonDocument manifest = Manifest(set + ".json");
        return [.. manifest.RootElement.GetProperty("shapes").EnumerateArray().Select(shape => string.Join('x', shape.EnumerateArray().Select(extent => extent.GetInt32())))];
    }

    private static IEnumerable<object[]> ShapesAndRuns(string kind) =>
        from set in GoldenFolder.Sets(kind)
        from shape in Shapes(set)
        from run in Names(set, "runs")
        select (object[])[set, shape, run];

    private static List<string> Names(string set, string list)
    {
        using JsonDocument manifest = Manifest(set + ".json");
        return [.. manifest.RootElement.GetProperty(list).EnumerateArray().Select(item => item.GetProperty("name").GetString()!)];
    }

    private static JsonDocument Manifest(string name) => JsonDocument.Parse(File.ReadAllBytes(Path.Combine(GoldenFolder.Path, name)));
}
