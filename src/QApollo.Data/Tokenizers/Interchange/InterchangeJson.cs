using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Nodes;
using QApollo.Checkpoints.Interchange;

namespace QApollo.Data.Tokenizers.Interchange;

/// <summary>JSON files of an exported folder.</summary>
internal static class InterchangeJson
{
    // Without the escapes that only HTML needs, vocabularies stay readable.
    private static readonly JsonSerializerOptions Options = new()
    {
        WriteIndented = true,
        NewLine = "\n",
        Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
    };

    public static InterchangeFile File(string name, JsonObject json) => new(name, Encoding.UTF8.GetBytes(json.ToJsonString(Options) + "\n"));
}
