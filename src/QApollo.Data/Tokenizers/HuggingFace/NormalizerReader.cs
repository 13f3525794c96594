using System.Text.Json;
using QApollo.Data.Tokenizers.Normalizers;

namespace QApollo.Data.Tokenizers.HuggingFace;

/// <summary>Reads the "normalizer" of a tokenizer.json.</summary>
internal static class NormalizerReader
{
    public static IReadOnlyList<TextNormalizer> Read(JsonElement? normalizer) =>
        normalizer is JsonElement json ? [.. JsonFields.Flatten(json, "normalizers").Select(ReadOne)] : [];

    private static TextNormalizer ReadOne(JsonElement json) => json.TypeName() switch
    {
        "NFC" => new UnicodeFormNormalizer(compatible: false, compose: true),
        "NFD" => new UnicodeFormNormalizer(compatible: false, compose: false),
        "NFKC" => new UnicodeFormNormalizer(compatible: true, compose: true),
        "NFKD" => new UnicodeFormNormalizer(compatible: true, compose: false),
        "Nmt" => new NmtNormalizer(),
        "Lowercase" => new LowercaseNormalizer(),
        "StripAccents" => new StripAccentsNormalizer(),
        "Strip" => new StripNormalizer(json.Flag("strip_left", true), json.Flag("strip_right", true)),
        "Prepend" => new PrependNormalizer(json.Utf8Field("prepend")),
        "Replace" => new ReplaceNormalizer(PatternReader.Read(json), json.Utf8Field("content")),
        "Precompiled" => new PrecompiledNormalizer(ReadMap(json)),
        "ByteLevel" => new ByteLevelNormalizer(),
        string other => throw new UsageException(
            $"the normalizer {JsonFields.Show(other)} is not supported; known are NFC, NFD, NFKC, NFKD, Nmt, Lowercase, "
            + "StripAccents, Strip, Prepend, Replace, Precompiled, ByteLevel, Sequence"),
    };

    private static CharacterMap ReadMap(JsonElement json)
    {
        JsonElement field = json.Required("precompiled_charsmap");
        return field.ValueKind == JsonValueKind.String && field.TryGetBytesFromBase64(out byte[]? blob)
            ? new CharacterMap(blob)
            : throw new UsageException("\"precompiled_charsmap\" must be base64");
    }
}
