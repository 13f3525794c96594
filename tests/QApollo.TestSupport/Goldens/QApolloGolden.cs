namespace QApollo.TestSupport.Goldens;

/// <summary>One INT8 matrix [m, n] in the official format through T updates of fixed gradients.</summary>
/// <param name="LearningRates">One per update.</param>
/// <param name="Initial">Before the first update.</param>
/// <param name="Gradients">One [m, n] per update.</param>
/// <param name="Projections">The one in force at each update: [m, r] if m &lt; n, else [r, n].</param>
/// <param name="Uniforms">One [m, n] per update for stochastic rounding; null for rounding to nearest.</param>
/// <param name="Quantized">Expected after each update.</param>
/// <param name="LimiterNorms">Expected after each update.</param>
public sealed record QApolloGolden(
    int Rows,
    int Columns,
    ApolloSettings Settings,
    double[] LearningRates,
    OfficialQuantized Initial,
    float[][] Gradients,
    float[][] Projections,
    float[][]? Uniforms,
    OfficialQuantized[] Quantized,
    float[] LimiterNorms)
{
    public static QApolloGolden Load(string set, string shape, string run)
    {
        using var file = new GoldenFile(set);
        var description = file.Run(run);
        var settings = ApolloSettings.Read(file.Manifest, description);
        int[] extents = file.Shape($"{shape}/w0_float");
        int groupSize = file.Manifest.GetProperty("group_size").GetInt32();
        float[][] scales = file.FloatsPerUpdate($"{run}/{shape}/scales");
        float[][] zeros = file.FloatsPerUpdate($"{run}/{shape}/zeros");
        return new QApolloGolden(
            extents[0],
            extents[1],
            settings,
            GoldenJson.Doubles(file.Manifest.GetProperty("lr_per_update")),
            new OfficialQuantized(file.Bytes($"{shape}/q0"), file.Floats($"{shape}/scales0"), file.Floats($"{shape}/zeros0"), groupSize),
            file.FloatsPerUpdate($"{shape}/grad"),
            file.FloatsPerUpdate($"{shape}/proj_rank{settings.Rank}"),
            description.GetProperty("stochastic_round").GetBoolean() ? file.FloatsPerUpdate($"{run}/{shape}/uniform") : null,
            [.. file.BytesPerUpdate($"{run}/{shape}/q").Select((codes, t) => new OfficialQuantized(codes, scales[t], zeros[t], groupSize))],
            file.Floats($"{run}/{shape}/limiter_norm"));
    }
}
