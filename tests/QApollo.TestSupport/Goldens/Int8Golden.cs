using System.Text.Json;

namespace QApollo.TestSupport.Goldens;

/// <summary>A matrix quantized by the official code, to nearest and stochastically.</summary>
/// <param name="Weights">[rows, columns].</param>
/// <param name="Codes">Rounded to nearest.</param>
/// <param name="Scales">One per group of the flattened matrix.</param>
/// <param name="Zeros">One per group: whole numbers 0..255.</param>
/// <param name="Dequantized">(code - zero) * scale.</param>
/// <param name="Floor">floor(w / scale).</param>
/// <param name="Probability">Of rounding up: w / scale - floor(w / scale).</param>
/// <param name="Uniforms">What the stochastic rounding drew, in [0, 1).</param>
/// <param name="StochasticCodes">What it gave.</param>
public sealed record Int8Golden(
    int Rows,
    int Columns,
    int GroupSize,
    float[] Weights,
    byte[] Codes,
    float[] Scales,
    float[] Zeros,
    float[] Dequantized,
    float[] Floor,
    float[] Probability,
    float[] Uniforms,
    byte[] StochasticCodes)
{
    public static Int8Golden Load(string set, string matrix)
    {
        using var file = new GoldenFile(set);
        JsonElement description = file.Manifest.GetProperty("matrices").EnumerateArray().Single(m => m.GetProperty("name").ValueEquals(matrix));
        int[] shape = file.Shape($"{matrix}/w");
        return new Int8Golden(
            shape[0],
            shape[1],
            description.GetProperty("group_size").GetInt32(),
            file.Floats($"{matrix}/w"),
            file.Bytes($"{matrix}/q"),
            file.Floats($"{matrix}/scales"),
            file.Floats($"{matrix}/zeros"),
            file.Floats($"{matrix}/dequantized"),
            file.Floats($"{matrix}/sr_floor"),
            file.Floats($"{matrix}/sr_probability"),
            file.Floats($"{matrix}/sr_uniform"),
            file.Bytes($"{matrix}/sr_q"));
    }
}
