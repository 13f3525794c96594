using System.Text.Json.Nodes;

namespace QApollo.Data.Tokenizers.Interchange;

/// <summary>tokenizer_config.json.</summary>
internal static class TokenizerConfigJson
{
    /// <summary>The class that every version of transformers makes from a tokenizer.json alone.</summary>
    private const string Class = "PreTrainedTokenizerFast";

    /// <param name="begin">Text of the token that begins documents; null for none.</param>
    /// <param name="end">Text of the token that ends documents.</param>
    public static JsonObject Create(string? begin, string end, string? unknown, int maxLength)
    {
        var json = new JsonObject { ["tokenizer_class"] = Class };
        if (begin is not null)
        {
            json["bos_token"] = begin;
        }

        json["eos_token"] = end;
        if (unknown is not null)
        {
            json["unk_token"] = unknown;
        }

        json["model_max_length"] = maxLength;
        json["clean_up_tokenization_spaces"] = false;
        return json;
    }

    /// <summary>A file from elsewhere, without what only transformers 5 knows: older versions and other programs fail on it.</summary>
    public static JsonObject Portable(JsonObject json)
    {
        if ((string?)json["tokenizer_class"] is null or "TokenizersBackend")
        {
            json["tokenizer_class"] = Class;
        }

        json.Remove("backend");
        json.Remove("is_local");
        return json;
    }
}
