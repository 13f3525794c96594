using System.Buffers;
using System.Text;
using System.Text.Json.Nodes;
using QApollo.Data.Tokenizers;
using QApollo.Data.Tokenizers.Training;
using QApollo.TestSupport.Goldens;

namespace QApollo.Interchange.Tests;

/// <summary>A tokenizer of each kind, as files or by name.</summary>
internal static class TokenizerFixtures
{
    public static string Goldens { get; } =
        Path.Combine(GoldenFolder.RepositoryRoot, "tests", "QApollo.Data.Tests", "Tokenizers", "Goldens");

    /// <param name="kind">bytes; r50k_base, o200k_base; bpe-gpt2, bpe-llama3, bpe-llama3-words, bpe-qwen2, bpe-smollm; word-marks; sentencepiece-bpe, sentencepiece-unigram.</param>
    /// <param name="folder">Where files go.</param>
    /// <returns>As <see cref="TokenizerLoader.Load"/> takes it.</returns>
    public static string Write(string kind, string folder)
    {
        string json = Path.Combine(folder, "tokenizer.json");
        string model = Path.Combine(folder, "tokenizer.model");
        switch (kind)
        {
            case "bytes":
            case "r50k_base":
            case "o200k_base":
                return kind;
            case "bpe-gpt2":
            case "bpe-llama3":
                TokenizerJson.Write(json, Train(kind == "bpe-gpt2" ? WordPattern.Gpt2 : WordPattern.Llama3));
                return json;
            case "bpe-llama3-words":
            case "bpe-qwen2":
            case "bpe-smollm":
                TokenizerJson.Write(json, Train(WordPattern.Llama3));
                JsonObject root = JsonNode.Parse(File.ReadAllText(json))!.AsObject();
                Change(root, kind);
                File.WriteAllText(json, root.ToJsonString());
                return json;
            case "word-marks":
                File.Copy(Path.Combine(Goldens, "characters.json"), json);
                return json;
            case "sentencepiece-bpe":
                File.WriteAllBytes(model, SentencePieceEdit.WithoutCharacterMap(File.ReadAllBytes(Path.Combine(Goldens, "bpe.model"))));
                return model;
            case "sentencepiece-unigram":
                File.Copy(Path.Combine(Goldens, "unigram-user.model"), model);
                return model;
            default:
                throw new ArgumentException($"no tokenizer '{kind}'", nameof(kind));
        }
    }

    public static int[] Ids(this ITokenizer tokenizer, string text)
    {
        var ids = new ArrayBufferWriter<int>();
        tokenizer.Encode(Encoding.UTF8.GetBytes(text), ids);
        return ids.WrittenSpan.ToArray();
    }

    private static ByteLevelBpe Train(WordPattern pattern) => BpeTrainer.Train(
        [Encoding.UTF8.GetBytes(Texts.Long)], new BpeTrainerOptions { VocabularySize = 500, Pattern = pattern, Threads = 1 });

    private static void Change(JsonObject root, string kind)
    {
        JsonArray steps = root["pre_tokenizer"]!["pretokenizers"]!.AsArray();
        switch (kind)
        {
            case "bpe-llama3-words":
                root["model"]!["ignore_merges"] = true;
                break;
            case "bpe-qwen2":
                JsonObject pattern = steps[0]!["pattern"]!.AsObject();
                pattern["Regex"] = pattern["Regex"]!.GetValue<string>().Replace("{1,3}", string.Empty, StringComparison.Ordinal);
                break;
            default:
                steps[0] = new JsonObject { ["type"] = "Digits", ["individual_digits"] = true };
                steps[1]!["use_regex"] = true;
                break;
        }
    }
}
