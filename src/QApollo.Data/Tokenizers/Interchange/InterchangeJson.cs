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

    private static readonly JsonDocumentOptions Strict = new() { AllowDuplicateProperties = false };

    /// <summary>A file from elsewhere, to be changed.</summary>
    /// <param name="name">For the message.</param>
    /// <exception cref="UsageException">It is no JSON object, or has a key twice.</exception>
    public static JsonObject Parse(ReadOnlyMemory<byte> content, string name)
    {
        try
        {
            return JsonNode.Parse(content.Span[(content.Span.StartsWith("\uFEFF"u8) ? 3 : 0)..], documentOptions: Strict) as JsonObject
                ?? throw new UsageException($"{name}: is not a JSON object");
        }
        catch (JsonException exception)
        {
            throw new UsageException($"{name}: {exception.Message}", exception);
        }
    }

    public static InterchangeFile File(string name, JsonObject json) => new(name, Encoding.UTF8.GetBytes(json.ToJsonString(Options) + "\n"));
}
