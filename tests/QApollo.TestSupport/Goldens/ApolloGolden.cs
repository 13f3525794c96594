namespace QApollo.TestSupport.Goldens;

/// <summary>One matrix [m, n] through T updates by the official APOLLO or APOLLO-Mini.</summary>
/// <param name="LearningRates">One per update.</param>
/// <param name="Initial">The weight before the first update.</param>
/// <param name="Gradients">One [m, n] per update.</param>
/// <param name="Projections">The one in force at each update: [m, r] if m &lt; n, else [r, n].</param>
/// <param name="Weights">Expected after each update.</param>
/// <param name="FirstMoment">Expected after the last: [r, n] if m &lt; n, else [m, r].</param>
/// <param name="SecondMoment">Shaped as the first.</param>
/// <param name="LimiterNorms">Expected after each update; null without the limiter.</param>
public sealed record ApolloGolden(
    int Rows,
    int Columns,
    ApolloSettings Settings,
    double[] LearningRates,
    float[] Initial,
    float[][] Gradients,
    float[][] Projections,
    float[][] Weights,
    float[] FirstMoment,
    float[] SecondMoment,
    float[]? LimiterNorms)
{
    public static ApolloGolden Load(string set, string shape, string run)
    {
        using var file = new GoldenFile(set);
        var description = file.Run(run);
        int[] extents = file.Shape($"{shape}/w0");
        var settings = ApolloSettings.Read(file.Manifest, description);
        string norms = $"{run}/{shape}/limiter_norm";
        return new ApolloGolden(
            extents[0],
            extents[1],
            settings,
            GoldenJson.Doubles(file.Manifest.GetProperty("lr_per_update")),
            file.Floats($"{shape}/w0"),
            file.FloatsPerUpdate($"{shape}/grad_{description.GetProperty("gradients").GetString()}"),
            file.FloatsPerUpdate($"{shape}/proj"),
            file.FloatsPerUpdate($"{run}/{shape}/w"),
            file.Floats($"{run}/{shape}/exp_avg"),
            file.Floats($"{run}/{shape}/exp_avg_sq"),
            settings.UseLimiter ? file.Floats(norms) : null);
    }
}
