using System.Text.Json;

namespace QApollo.TestSupport.Goldens;

internal static class GoldenJson
{
    public static double[] Doubles(JsonElement array) => [.. array.EnumerateArray().Select(value => value.GetDouble())];

    public static string[] Strings(JsonElement array) => [.. array.EnumerateArray().Select(value => value.GetString()!)];
}
