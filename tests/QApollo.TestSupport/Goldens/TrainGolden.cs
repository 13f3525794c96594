using System.Text.Json;
using QApollo.Models;

namespace QApollo.TestSupport.Goldens;

/// <summary>What a training run is fed, whichever way its weights are stored.</summary>
/// <param name="Settings">Of the low-rank parameters; the others follow its AdamW.</param>
/// <param name="LowRank">Names of the low-rank parameters; all others are regular.</param>
/// <param name="ProjectionGap">Updates from one projection to the next.</param>
/// <param name="InputIds">One [batch, seq] per step.</param>
/// <param name="Labels">As the inputs; already shifted.</param>
/// <param name="LearningRates">One per step; the first is 0.</param>
/// <param name="Projections">By parameter: one per refresh, [m, 1] if m &lt; n, else [1, n].</param>
/// <param name="LimiterNorms">By parameter: expected after each step.</param>
/// <param name="Losses">Expected at each step, before its update.</param>
public sealed record TrainingCourse(
    LlamaConfig Config,
    int Batch,
    int Sequence,
    ApolloSettings Settings,
    IReadOnlySet<string> LowRank,
    int ProjectionGap,
    long[][] InputIds,
    long[][] Labels,
    double[] LearningRates,
    IReadOnlyDictionary<string, float[][]> Projections,
    IReadOnlyDictionary<string, float[]> LimiterNorms,
    double[] Losses)
{
    private const string ProjectionPrefix = "proj/";
    private const string NormPrefix = "limiter_norm/";

    internal static TrainingCourse Read(string set, JsonElement manifest, ApolloSettings settings, GoldenFile batches, GoldenFile run)
    {
        int[] shape = batches.Shape("input_ids");
        return new TrainingCourse(
            LlamaGolden.LoadConfig(set),
            shape[1],
            shape[2],
            settings,
            GoldenJson.Strings(manifest.GetProperty("lowrank_parameters")).ToHashSet(),
            manifest.GetProperty("update_proj_gap").GetInt32(),
            batches.LongsPerUpdate("input_ids"),
            batches.LongsPerUpdate("labels"),
            GoldenJson.Doubles(manifest.GetProperty("lr_per_step")),
            run.TensorNames.Where(name => name.StartsWith(ProjectionPrefix, StringComparison.Ordinal)).ToDictionary(name => name[ProjectionPrefix.Length..], run.FloatsPerUpdate),
            LlamaGolden.LoadWeights(run, NormPrefix),
            [.. run.Floats("loss").Select(loss => (double)loss)]);
    }
}

/// <summary>A small LLaMA trained by the official APOLLO-Mini, and by AdamW on the same batches.</summary>
/// <param name="Initial">By Hugging Face name.</param>
/// <param name="Final">After the last update of APOLLO-Mini.</param>
/// <param name="AdamLosses">Expected at each step when every parameter follows the official AdamW.</param>
/// <param name="AdamFinal">After the last update of AdamW; null where the set has none.</param>
public sealed record TrainGolden(
    TrainingCourse Course,
    IReadOnlyDictionary<string, float[]> Initial,
    IReadOnlyDictionary<string, float[]> Final,
    double[] AdamLosses,
    IReadOnlyDictionary<string, float[]>? AdamFinal)
{
    public static TrainGolden Load(string set)
    {
        using var run = new GoldenFile($"{set}/run");
        bool hasAdam = File.Exists(Path.Combine(GoldenFolder.Path, set, "adamw_final.safetensors"));
        return new TrainGolden(
            TrainingCourse.Read(set, run.Manifest, ApolloSettings.Read(run.Manifest, run.Manifest), run, run),
            LlamaGolden.LoadWeights($"{set}/model"),
            LlamaGolden.LoadWeights($"{set}/apollo_final"),
            GoldenJson.Doubles(run.Manifest.GetProperty("adamw_official_loss_per_step")),
            hasAdam ? LlamaGolden.LoadWeights($"{set}/adamw_final") : null);
    }
}
