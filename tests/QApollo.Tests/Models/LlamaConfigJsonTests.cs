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

        Assert.Equal(LlamaPresets.Find("llama3-8b").Config with { InitializerRange = 0.01, OtherEosTokenIds = new TokenIds(128_009) }, config);
        Assert.Equal(config, LlamaConfigJson.Parse(LlamaConfigJson.ToUtf8(config), "config.json"));
        Assert.Equal(new TokenIds(5, 128_001, 128_009), config.WithEndToken(5).EosTokenIds);
        Assert.Equal(new TokenIds(128_009, 128_001), config.WithEndToken(128_009).EosTokenIds);
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
    [InlineData("\"model_type\": \"gemma\"", "config.json: model_type is \"gemma\"; supported are llama, mistral, qwen2, qwen3")]
    [InlineData("\"model_type\": null, \"architectures\": [\"GPT2LMHeadModel\"]", "config.json: architectures is [\"GPT2LMHeadModel\"]; supported are llama, mistral, qwen2, qwen3")]
    [InlineData("\"model_type\": \"llama\", \"architectures\": [\"LlamaForSequenceClassification\"]", "config.json: architectures is [\"LlamaForSequenceClassification\"], another class than LlamaForCausalLM, the language model of model_type \"llama\"")]
    [InlineData("\"hidden_act\": \"gelu\"", "config.json: hidden_act is \"gelu\"; only \"silu\" is supported")]
    [InlineData("\"attention_bias\": 1", "config.json: attention_bias is 1; expected true or false")]
    [InlineData("\"model_type\": \"mistral\", \"num_key_value_heads\": 4, \"attention_bias\": true", "config.json: attention_bias is true, but a model of this type has no such biases")]
    [InlineData("\"model_type\": \"qwen2\", \"num_key_value_heads\": 4, \"attention_bias\": false", "config.json: attention_bias is false, but a model of this type has such biases")]
    [InlineData("\"model_type\": \"qwen3\", \"num_key_value_heads\": 4, \"mlp_bias\": true", "config.json: mlp_bias is true, but a model of type qwen3 has no such biases")]
    [InlineData("\"quantization_config\": {\"quant_method\": \"gptq\", \"bits\": 4}", "config.json: quantization_config: the weights are quantized (gptq); take the model in BF16, F16 or F32: it is quantized here")]
    [InlineData("\"layer_types\": [\"full_attention\", \"linear_attention\"]", "config.json: layer_types names \"linear_attention\"; supported are full_attention and sliding_attention")]
    [InlineData("\"layer_types\": \"full\"", "config.json: layer_types is \"full\"; expected a list of texts")]
    [InlineData("\"no_rope_layers\": [1, 1, 1, 0]", "config.json: no_rope_layers is [1, 1, 1, 0]; only models with rotary embeddings in every layer (1) are supported")]
    [InlineData("\"embedding_multiplier\": 12.0", "config.json: embedding_multiplier is 12.0; only 1 is supported")]
    [InlineData("\"attention_multiplier\": 0.0156", "config.json: attention_multiplier is 0.0156; only models without it are supported")]
    [InlineData("\"partial_rotary_factor\": 0.5", "config.json: partial_rotary_factor is 0.5; only 1 is supported")]
    [InlineData("\"rope_interleaved\": true", "config.json: rope_interleaved is true; only false is supported")]
    [InlineData("\"num_local_experts\": 8", "config.json: num_local_experts is 8; only 0 is supported")]
    [InlineData("\"rope_scaling\": {\"type\":\n \"dynamic\", \"factor\": 2}", "config.json: rope_scaling: rope_type is \"dynamic\"; supported are \"default\", \"linear\", \"llama3\" and \"yarn\"")]
    [InlineData("\"rope_scaling\": {\"factor\": 2}", "config.json: rope_scaling: rope_type is missing; supported are \"default\", \"linear\", \"llama3\" and \"yarn\"")]
    [InlineData("\"rope_scaling\": {\"rope_type\": \"linear\"}", "config.json: rope_scaling: factor is missing")]
    [InlineData("\"rope_scaling\": {\"rope_type\": \"linear\", \"factor\": 0.5}", "config.json: factor of the rotary scaling is 0.5; it must be finite and at least 1")]
    [InlineData("\"rope_scaling\": {\"rope_type\": \"default\", \"mrope_section\": [16, 24, 24]}", "config.json: rope_scaling: 'mrope_section' is not known here; supported are rope_type, type, rope_theta, partial_rotary_factor, factor, original_max_position_embeddings, low_freq_factor, high_freq_factor, beta_fast, beta_slow, attention_factor, mscale, mscale_all_dim, truncate")]
    [InlineData("\"rope_scaling\": {\"rope_type\": \"linear\", \"type\": \"yarn\", \"factor\": 2}", "config.json: rope_scaling: rope_type is \"linear\" and type is \"yarn\"; keep the one that the model was trained with")]
    [InlineData("\"rope_scaling\": {\"rope_type\": \"llama3\", \"factor\": 8, \"low_freq_factor\": 4, \"high_freq_factor\": 4}", "config.json: high_freq_factor 4 is not above low_freq_factor 4")]
    [InlineData("\"rope_scaling\": {\"rope_type\": \"yarn\", \"factor\": 8, \"beta_fast\": 1, \"beta_slow\": 2}", "config.json: yarn needs a rope_theta above 1 and beta_fast of at least beta_slow; they are 10000, 1 and 2")]
    [InlineData("\"rope_scaling\": {\"rope_type\": \"linear\", \"factor\": 2}, \"rope_parameters\": {\"rope_type\": \"default\"}", "config.json: rope_scaling and rope_parameters disagree; keep the one that the model was trained with")]
    [InlineData("\"rope_theta\": 1e6, \"rope_parameters\": {\"rope_type\": \"default\", \"rope_theta\": 1e4}", "config.json: rope_theta is 1000000 in one place and 10000 in another; keep the one that the model was trained with")]
    [InlineData("\"rope_parameters\": {\"rope_type\": \"default\", \"partial_rotary_factor\": 0.5}", "config.json: rope_parameters: partial_rotary_factor is 0.5; only 1 is supported")]
    [InlineData("\"rope_parameters\": {\"full_attention\": {\"rope_type\": \"default\"}}", "config.json: rope_parameters: 'full_attention' is not known here; supported are rope_type, type, rope_theta, partial_rotary_factor, factor, original_max_position_embeddings, low_freq_factor, high_freq_factor, beta_fast, beta_slow, attention_factor, mscale, mscale_all_dim, truncate")]
    [InlineData("\"rope_parameters\": 3", "config.json: rope_parameters is 3; expected an object")]
    [InlineData("\"sliding_window\": 0", "config.json: sliding_window is 0; it must be positive and finite")]
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

    [Theory]
    [InlineData("\"attention_dropout\": 0.0, \"rope_interleaved\": false, \"is_llama_config\": true, \"pretraining_tp\": 2, \"use_mrope\": false")]
    [InlineData("\"rope_scaling\": {\"rope_type\": \"default\"}")]
    [InlineData("\"rope_scaling\": {\"type\": \"default\", \"factor\": 1.0}")]
    [InlineData("\"rope_parameters\": {\"type\": \"default\", \"partial_rotary_factor\": 1.0}")]
    [InlineData("\"layer_types\": [\"full_attention\", \"full_attention\"], \"sliding_window\": null, \"pruned_heads\": {}, \"embedding_multiplier\": 1")]
    [InlineData("\"no_rope_layers\": [1, 1], \"hidden_act\": \"swish\", \"num_experts\": 0, \"position_embedding_type\": \"rope\"")]
    public void Keys_at_values_that_change_nothing_are_no_fault(string pairs) => Assert.Equal(Parse(Minimal), Parse(With(pairs)));

    [Fact]
    public void Scaled_rotary_embeddings_are_read_under_the_old_and_the_new_key()
    {
        const string Llama3 = "\"factor\": 8.0, \"low_freq_factor\": 1.0, \"high_freq_factor\": 4.0, \"original_max_position_embeddings\": 8192";
        var expected = new RotaryScaling { Kind = RotaryScalingKind.Llama3, Factor = 8, OriginalMaxPositionEmbeddings = 8192 };
        Assert.Equal(expected, Parse(With($"\"rope_scaling\": {{\"rope_type\": \"llama3\", {Llama3}}}")).RopeScaling);
        Assert.Equal(expected, Parse(With($"\"rope_scaling\": {{\"type\": \"llama3\", {Llama3}}}")).RopeScaling);
        LlamaConfig both = Parse(With(
            $"\"rope_theta\": 5e5, \"rope_scaling\": {{\"rope_type\": \"llama3\", {Llama3}}}, \"rope_parameters\": {{\"rope_type\": \"llama3\", \"rope_theta\": 500000.0, {Llama3}}}"));
        Assert.Equal((expected, 5e5), (both.RopeScaling, both.RopeTheta));
    }

    [Fact]
    public void Yarn_takes_its_defaults_from_the_paper_and_its_scales_from_DeepSeek()
    {
        LlamaConfig config = Parse(With("\"max_position_embeddings\": 32768, \"rope_scaling\": {\"type\": \"yarn\", \"factor\": 4.0}"));
        RotaryScaling plain = config.RopeScaling!;
        Assert.Equal((4.0, 32_768, 32.0, 1.0, true), (plain.Factor, plain.OriginalMaxPositionEmbeddings, plain.BetaFast, plain.BetaSlow, plain.Truncate));
        Assert.Equal((0.1 * Math.Log(4)) + 1, plain.AttentionFactor);

        RotaryScaling scaled = Parse(With(
            "\"rope_scaling\": {\"rope_type\": \"yarn\", \"factor\": 40, \"mscale\": 0.7, \"mscale_all_dim\": 1.4, \"original_max_position_embeddings\": 4096}")).RopeScaling!;
        Assert.Equal(((0.07 * Math.Log(40)) + 1) / ((0.14 * Math.Log(40)) + 1), scaled.AttentionFactor, 12);
        RotaryScaling given = Parse(With("\"rope_scaling\": {\"rope_type\": \"yarn\", \"factor\": 40, \"attention_factor\": 0.5, \"truncate\": false}")).RopeScaling!;
        Assert.Equal((0.5, false), (given.AttentionFactor, given.Truncate));
    }

    [Theory]
    [InlineData("\"model_type\": \"mistral\"", 4096)]
    [InlineData("\"model_type\": \"mistral\", \"sliding_window\": null", null)]
    [InlineData("\"model_type\": \"mistral\", \"sliding_window\": 128", 128)]
    [InlineData("\"model_type\": \"qwen2\", \"sliding_window\": 128", null)]
    [InlineData("\"model_type\": \"qwen2\", \"sliding_window\": 128, \"use_sliding_window\": true", null)]
    [InlineData("\"model_type\": \"qwen2\", \"sliding_window\": 128, \"use_sliding_window\": true, \"max_window_layers\": 1", 128)]
    [InlineData("\"model_type\": \"qwen3\", \"sliding_window\": 128, \"use_sliding_window\": true, \"layer_types\": [\"full_attention\", \"sliding_attention\"]", 128)]
    [InlineData("\"model_type\": \"qwen3\", \"sliding_window\": 128, \"use_sliding_window\": true, \"layer_types\": [\"full_attention\", \"full_attention\"]", null)]
    public void Windows_count_where_the_class_has_them(string pairs, int? window) =>
        Assert.Equal(window, Parse(With("\"num_key_value_heads\": 4, " + pairs)).SlidingWindow);

    [Fact]
    public void A_sequence_beyond_the_window_is_refused_with_the_reason()
    {
        LlamaConfig config = Parse(With("\"sliding_window\": 128"));
        config.RequireWithinWindow(128);
        Assert.Equal(
            "sequences of 129 tokens are longer than the model's attention window (sliding_window 128), and attention here has none: use at most 128 tokens",
            Assert.Throws<UsageException>(() => config.RequireWithinWindow(129)).Message);
    }

    [Theory]
    [InlineData("llama-3.2-1b", ModelArchitecture.Llama, 1_235_814_400)]
    [InlineData("qwen2.5-0.5b", ModelArchitecture.Qwen2, 494_032_768)]
    [InlineData("qwen3-0.6b", ModelArchitecture.Qwen3, 596_049_920)]
    [InlineData("mistral-7b-v0.3", ModelArchitecture.Mistral, 7_248_023_552)]
    public void Published_configurations_have_the_published_number_of_parameters(string name, ModelArchitecture architecture, long parameters)
    {
        LlamaConfig config = Published.Configuration(name);

        Assert.Equal((architecture, parameters), (config.Architecture, config.ParameterCount));
        Assert.Equal(parameters, ParameterTable.Of(config).Sum(parameter => parameter.Elements));
        Assert.Equal(config, LlamaConfigJson.Parse(LlamaConfigJson.ToUtf8(config), name));
    }

    [Fact]
    public void The_preset_of_Llama_3_2_is_the_published_configuration() =>
        Assert.Equal(Published.Configuration("llama-3.2-1b"), LlamaPresets.Find("llama3.2-1b").Config);

    [Fact]
    public void Every_kind_of_configuration_survives_writing_and_reading()
    {
        LlamaConfig llama = Parse(With("\"attention_bias\": true, \"mlp_bias\": true, \"rope_scaling\": {\"type\": \"linear\", \"factor\": 3}, \"sliding_window\": 99"));
        LlamaConfig qwen3 = Parse(With("\"model_type\": \"qwen3\", \"num_key_value_heads\": 2, \"attention_bias\": true, \"rope_scaling\": {\"type\": \"yarn\", \"factor\": 3, \"beta_fast\": 16, \"truncate\": false}"));
        LlamaConfig mistral = Parse(With("\"model_type\": \"mistral\", \"num_key_value_heads\": 2"));
        LlamaConfig qwen2 = Parse(With(
            "\"model_type\": \"qwen2\", \"num_key_value_heads\": 2, \"use_sliding_window\": true, \"max_window_layers\": 0, \"sliding_window\": 77, \"rope_theta\": 1e6"));
        Assert.Equal(
            [(true, true, true, false), (true, true, false, true), (false, false, false, false), (true, false, false, false)],
            ((LlamaConfig[])[llama, qwen3, mistral, qwen2]).Select(config => (config.QueryKeyValueBias, config.OutputBias, config.MlpBias, config.QueryKeyNorm)));
        Assert.Equal((128, 4096, 77), (qwen3.HeadDim, mistral.SlidingWindow, qwen2.SlidingWindow));
        Assert.All([llama, qwen3, mistral, qwen2], config => Assert.Equal(config, LlamaConfigJson.Parse(LlamaConfigJson.ToUtf8(config), "again")));
    }

    [Fact]
    public void Base_scaling_and_dtype_are_written_for_the_readers_of_transformers_4_and_5()
    {
        using var document = JsonDocument.Parse(LlamaConfigJson.ToUtf8(LlamaPresets.Find("llama3.2-1b").Config));
        JsonElement root = document.RootElement;

        Assert.Equal("500000.0", root.GetProperty("rope_theta").GetRawText());
        Assert.Equal("500000.0", root.GetProperty("rope_parameters").GetProperty("rope_theta").GetRawText());
        foreach (string key in (string[])["rope_scaling", "rope_parameters"])
        {
            JsonElement rotary = root.GetProperty(key);
            Assert.Equal(("llama3", "32.0", 8192), (
                rotary.GetProperty("rope_type").GetString(), rotary.GetProperty("factor").GetRawText(), rotary.GetProperty("original_max_position_embeddings").GetInt32()));
        }

        Assert.Equal(("bfloat16", "bfloat16"), (root.GetProperty("torch_dtype").GetString(), root.GetProperty("dtype").GetString()));
    }

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
