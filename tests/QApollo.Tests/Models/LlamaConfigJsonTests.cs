using System.Text;
using System.Text.Json;
using QApollo.Models;
using Xunit;

namespace QApollo.Tests.Models;

public class LlamaConfigJsonTests
{
    private const string Minimal = """
        {"hidden_size": 64, "intermediate_size": 176, "num_hidden_layers": 2, "num_attention_heads": 4, "vocab_size": 320}
        """;

    [Fact]
    public void A_published_configuration_is_read_whole()
    {
        LlamaConfig config = Parse("""
            {"architectures": ["LlamaForCausalLM"], "attention_bias": false, "attention_dropout": 0.0, "bos_token_id": 128000,
             "eos_token_id": [128001, 128009], "hidden_act": "silu", "hidden_size": 4096, "initializer_range": 0.01,
             "intermediate_size": 14336, "max_position_embeddings": 8192, "mlp_bias": false, "model_type": "llama",
             "num_attention_heads": 32, "num_hidden_layers": 32, "num_key_value_heads": 8, "pretraining_tp": 1,
             "rms_norm_eps": 1e-05, "rope_scaling": null, "rope_theta": 500000.0, "tie_word_embeddings": false,
             "torch_dtype": "bfloat16", "transformers_version": "4.40.0", "use_cache": true, "vocab_size": 128256}
            """);

        Assert.Equal(LlamaPresets.Find("llama3-8b").Config with { InitializerRange = 0.01 }, config);
    }

    [Fact]
    public void What_is_left_out_takes_the_defaults_of_Hugging_Face()
    {
        LlamaConfig expected = new()
        {
            HiddenSize = 64,
            IntermediateSize = 176,
            NumHiddenLayers = 2,
            NumAttentionHeads = 4,
            NumKeyValueHeads = 4,
            HeadDim = 16,
            VocabSize = 320,
            MaxPositionEmbeddings = 2048,
            RmsNormEps = 1e-6,
            RopeTheta = 10_000,
            InitializerRange = 0.02,
        };

        Assert.Equal(expected, Parse(Minimal));
        Assert.Equal(expected, Parse(With("\"num_key_value_heads\": null, \"head_dim\": null, \"rope_scaling\": null")));
        Assert.Equal(expected, LlamaConfigJson.Parse(Encoding.UTF8.GetBytes("\uFEFF" + Minimal), "config.json"));
    }

    [Fact]
    public void Other_spellings_of_the_same_values_are_understood()
    {
        Assert.Equal(1024, Parse(With("\"max_sequence_length\": 1024")).MaxPositionEmbeddings);
        Assert.Equal(512, Parse(With("\"max_sequence_length\": 1024, \"max_position_embeddings\": 512")).MaxPositionEmbeddings);
        Assert.Equal(5e5, Parse(With("\"rope_parameters\": {\"rope_type\": \"default\", \"rope_theta\": 500000.0}")).RopeTheta);
        Assert.Equal(32, Parse(With("\"head_dim\": 32")).HeadDim);
    }

    [Theory]
    [InlineData("\"model_type\": \"mistral\"", "config.json: model_type is \"mistral\"; only \"llama\" is supported")]
    [InlineData("\"hidden_act\": \"gelu\"", "config.json: hidden_act is \"gelu\"; only \"silu\" is supported")]
    [InlineData("\"attention_bias\": true", "config.json: attention_bias is true; only models without biases are supported")]
    [InlineData("\"mlp_bias\": true", "config.json: mlp_bias is true; only models without biases are supported")]
    [InlineData("\"rope_scaling\": {\"type\":\n \"linear\"}", "config.json: rope_scaling is {\"type\": \"linear\"}; only unscaled rotary embeddings (null) are supported")]
    [InlineData("\"rope_parameters\": {\"rope_type\": \"yarn\"}", "config.json: rope_parameters is {\"rope_type\": \"yarn\"}; only rope_type \"default\" is supported")]
    [InlineData("\"rope_parameters\": 3", "config.json: rope_parameters is 3; only rope_type \"default\" is supported")]
    [InlineData("\"attention_dropout\": 0.1", "config.json: attention_dropout is 0.1; only 0 is supported")]
    [InlineData("\"num_attention_heads\": 5", "config.json: hidden_size 64 is not a multiple of num_attention_heads 5; correct one of them or give head_dim")]
    [InlineData("\"num_attention_heads\": 0", "config.json: num_attention_heads is 0; it must be positive and finite")]
    [InlineData("\"num_key_value_heads\": 3", "config.json: num_attention_heads 4 is not a multiple of num_key_value_heads 3")]
    [InlineData("\"hidden_size\": 64.5", "config.json: hidden_size is 64.5; expected an integer of at most 2147483647")]
    [InlineData("\"hidden_size\": 99999999999", "config.json: hidden_size is 99999999999; expected an integer of at most 2147483647")]
    [InlineData("\"hidden_size\": \"64\"", "config.json: hidden_size is \"64\"; expected an integer of at most 2147483647")]
    [InlineData("\"hidden_size\": null", "config.json: hidden_size is missing")]
    [InlineData("\"rms_norm_eps\": \"small\"", "config.json: rms_norm_eps is \"small\"; expected a number")]
    [InlineData("\"rope_theta\": 1e999", "config.json: rope_theta is Infinity; it must be positive and finite")]
    [InlineData("\"tie_word_embeddings\": 1", "config.json: tie_word_embeddings is 1; expected true or false")]
    [InlineData("\"eos_token_id\": []", "config.json: eos_token_id is []; expected a token id")]
    [InlineData("\"bos_token_id\": 320", "config.json: bos_token_id is 320; token ids are 0 to 319 (vocab_size 320)")]
    public void What_is_not_a_plain_LLaMA_is_refused_in_one_line(string pair, string message) =>
        Assert.Equal(message, Assert.Throws<UsageException>(() => Parse(With(pair))).Message);

    [Theory]
    [InlineData("", "config.json: not valid JSON (line 1, byte 1); expected a Hugging Face config.json")]
    [InlineData("{\n \"hidden_size\" 64}", "config.json: not valid JSON (line 2, byte 16); expected a Hugging Face config.json")]
    [InlineData("[1, 2]", "config.json: not a JSON object; expected a Hugging Face config.json")]
    [InlineData("{}", "config.json: hidden_size is missing")]
    [InlineData("{\"model_type\": \"\\ud800\"}", "config.json: contains text that is not valid Unicode; expected a Hugging Face config.json")]
    public void What_is_no_configuration_is_refused_in_one_line(string text, string message) =>
        Assert.Equal(message, Assert.Throws<UsageException>(() => Parse(text)).Message);

    [Fact]
    public void Random_damage_never_gives_anything_but_a_configuration_or_a_usage_error()
    {
        byte[] valid = LlamaConfigJson.ToUtf8(LlamaPresets.Find("llama3-8b").Config);
        var random = new Random(1);
        int refused = 0;
        for (int i = 0; i < 3000; i++)
        {
            byte[] damaged = [.. valid];
            for (int n = random.Next(1, 4); n > 0; n--)
            {
                damaged[random.Next(damaged.Length)] = (byte)random.Next(256);
            }

            try
            {
                LlamaConfigJson.Parse(damaged, "config.json");
            }
            catch (UsageException e)
            {
                refused++;
                Assert.DoesNotContain('\n', e.Message);
            }
        }

        Assert.InRange(refused, 500, 2999);
    }

    [Fact]
    public void Every_preset_survives_writing_and_reading()
    {
        foreach (LlamaPreset preset in LlamaPresets.All)
        {
            LlamaConfig config = preset.Config with { TieWordEmbeddings = true, InitializerRange = 0.015, EosTokenId = 7 };
            Assert.Equal(config, LlamaConfigJson.Parse(LlamaConfigJson.ToUtf8(config), preset.Name));
        }
    }

    [Fact]
    public void The_file_tells_Hugging_Face_what_it_would_otherwise_assume()
    {
        using var document = JsonDocument.Parse(LlamaConfigJson.ToUtf8(LlamaPresets.Find("demo").Config, "float32"));
        JsonElement root = document.RootElement;

        Assert.Equal("LlamaForCausalLM", root.GetProperty("architectures")[0].GetString());
        Assert.Equal("llama", root.GetProperty("model_type").GetString());
        Assert.Equal("float32", root.GetProperty("torch_dtype").GetString());
        Assert.Equal(JsonValueKind.Null, root.GetProperty("bos_token_id").ValueKind);
        Assert.Equal(JsonValueKind.Null, root.GetProperty("eos_token_id").ValueKind);
        Assert.Equal(32, root.GetProperty("head_dim").GetInt32());
        Assert.False(root.GetProperty("tie_word_embeddings").GetBoolean());
    }

    private static LlamaConfig Parse(string json) => LlamaConfigJson.Parse(Encoding.UTF8.GetBytes(json), "config.json");

    /// <summary>The minimal configuration and one more pair; of two pairs with the same key the last counts.</summary>
    private static string With(string pair) => Minimal.TrimEnd()[..^1] + ", " + pair + "}";
}
