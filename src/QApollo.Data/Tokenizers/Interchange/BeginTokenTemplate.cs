using System.Text.Json.Nodes;

namespace QApollo.Data.Tokenizers.Interchange;

/// <summary>The post-processor of a tokenizer.json that puts a token before each text.</summary>
internal static class BeginTokenTemplate
{
    public static JsonObject Create(string text, int id)
    {
        JsonObject Special(int type) => new() { ["SpecialToken"] = new JsonObject { ["id"] = text, ["type_id"] = type } };
        JsonObject Sequence(string name, int type) => new() { ["Sequence"] = new JsonObject { ["id"] = name, ["type_id"] = type } };
        return new JsonObject
        {
            ["type"] = "TemplateProcessing",
            ["single"] = new JsonArray(Special(0), Sequence("A", 0)),
            ["pair"] = new JsonArray(Special(0), Sequence("A", 0), Special(1), Sequence("B", 1)),
            ["special_tokens"] = new JsonObject
            {
                [text] = new JsonObject { ["id"] = text, ["ids"] = new JsonArray(id), ["tokens"] = new JsonArray(text) },
            },
        };
    }
}
