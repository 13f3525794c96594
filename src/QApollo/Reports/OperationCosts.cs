using System.Text.Json;
using System.Text.Json.Serialization;

namespace QApollo.Reports;

/// <summary>The table of <see cref="OperationCost"/>, which a test of the kernels keeps equal to what it counts.</summary>
public static class OperationCosts
{
    private static readonly Lazy<IReadOnlyList<OperationCost>> s_all = new(() =>
    {
        using Stream stream = typeof(OperationCosts).Assembly.GetManifestResourceStream("operation-costs.json")!;
        return Read(stream);
    });

    public static IReadOnlyList<OperationCost> All => s_all.Value;

    /// <summary>That of an operation and its form, else of another form of it; null where none was counted.</summary>
    public static OperationCost? Find(string operation, string form) =>
        All.FirstOrDefault(cost => cost.Operation == operation && cost.Form == form) ?? All.FirstOrDefault(cost => cost.Operation == operation);

    /// <summary>Reads a table as <see cref="Write"/> leaves it.</summary>
    public static IReadOnlyList<OperationCost> Read(Stream json) => JsonSerializer.Deserialize(json, OperationCostJson.Default.OperationCostArray)!;

    /// <summary>A line for each operation.</summary>
    public static string Write(IEnumerable<OperationCost> costs) =>
        "[\n" + string.Join(",\n", costs.Select(cost => "  " + JsonSerializer.Serialize(cost, OperationCostJson.Default.OperationCost))) + "\n]\n";
}

[JsonSerializable(typeof(OperationCost))]
[JsonSerializable(typeof(OperationCost[]))]
internal sealed partial class OperationCostJson : JsonSerializerContext;
