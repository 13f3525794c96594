using System.Text.Json;
using QApollo.TestSupport;
using Xunit;

namespace QApollo.Cli.Tests.Commands;

/// <summary>`qapollo plan` as users run it: the promised numbers, and what it says to bad input.</summary>
public class PlanCommandTests
{
    private const long GiB = 1L << 30;

    /// <summary>The bounds that the project promises, for a CUDA device with 0.35 GB of driver context.</summary>
    [Theory]
    [InlineData("--model 7b --batch-size 1 --seq-len 256 --budget 8GiB --head-weights bf16", 8 * GiB)]
    [InlineData("--model 7b --batch-size 1 --seq-len 1024 --budget 9GiB --head-weights bf16", 9 * GiB)]
    [InlineData("--model 7b --batch-size 1 --seq-len 1024 --budget 7.6GiB --head-weights int8", 76 * GiB / 10)]
    [InlineData("--model 7b --batch-size 1 --seq-len 1024 --grad-accum 32 --budget 12GB --host-budget 16GiB", 12_000_000_000)]
    [InlineData("--model 7b --batch-size 1 --seq-len 1024 --residual-bits 4 --budget rtx-3060-12gb", 114 * GiB / 10)]
    [InlineData("--model 7b --batch-size 1 --seq-len 256 --residual-bits 4 --residual-layers 32 --budget 10.9GiB", 109 * GiB / 10)]
    [InlineData("--model 7b --batch-size 1 --seq-len 256 --residual-bits 4 --budget rtx-3060-12gb", 109 * GiB / 10)]
    [InlineData("--model llama3-8b --batch-size 1 --seq-len 1024 --budget 12GiB --head-weights bf16", 12 * GiB)]
    [InlineData("--model 13b --batch-size 1 --seq-len 256 --budget 16GiB --head-weights bf16", 16 * GiB)]
    public void Promised_numbers_hold(string options, long bound)
    {
        CliResult result = Cli.Run($"plan {options} --json");
        Assert.Equal((0, string.Empty), (result.ExitCode, result.Error));
        using var json = JsonDocument.Parse(result.Output);
        JsonElement device = json.RootElement.GetProperty("device");
        Assert.InRange(device.GetProperty("totalBytes").GetInt64(), 6 * GiB, bound);
        Assert.Equal(350_000_000, device.GetProperty("categories").GetProperty("context").GetInt64());
        long host = json.RootElement.GetProperty("pinnedHost").GetProperty("totalBytes").GetInt64() + json.RootElement.GetProperty("host").GetProperty("totalBytes").GetInt64();
        Assert.InRange(host, 0, 16 * GiB);
    }

    /// <summary>Models larger than the card: layers wait in host memory, which is bounded too.</summary>
    [Theory]
    [InlineData("7b", 32, "3.7GiB", "16GiB")]
    [InlineData("13b", 32, "6GiB", "32GiB")]
    [InlineData("30b", 16, "8GiB", "48GiB")]
    [InlineData("llama2-70b", 16, "16GiB", "96GiB")]
    public void Models_larger_than_the_card_are_planned_within_card_and_host(string model, int gradAccum, string device, string host)
    {
        string options = $"--model {model} --batch-size 1 --seq-len 1024 --grad-accum {gradAccum} --head-weights bf16 --grad-dtype f32";
        CliResult result = Cli.Run($"plan {options} --budget {device} --host-budget {host} --json");
        Assert.Equal((0, string.Empty), (result.ExitCode, result.Error));
        using var json = JsonDocument.Parse(result.Output);
        JsonElement root = json.RootElement;
        Assert.Equal("host", root.GetProperty("choices").GetProperty("layers").GetString());
        Assert.Equal(0, root.GetProperty("device").GetProperty("categories").GetProperty("codes").GetInt64());
        Assert.Equal(350_000_000, root.GetProperty("device").GetProperty("categories").GetProperty("context").GetInt64());
        Assert.InRange(root.GetProperty("device").GetProperty("totalBytes").GetInt64(), GiB, Bytes(device));
        long hostBytes = root.GetProperty("pinnedHost").GetProperty("totalBytes").GetInt64() + root.GetProperty("host").GetProperty("totalBytes").GetInt64();
        Assert.InRange(hostBytes, GiB, Bytes(host));
        static long Bytes(string text) => (long)(double.Parse(text[..^3], System.Globalization.CultureInfo.InvariantCulture) * GiB);
    }

    /// <summary>4 bits of 6,476,005,376 weights are 3.02 GiB: all layers on 12 GB, some on 10 GiB, none where there is no room.</summary>
    [Theory]
    [InlineData("rtx-3060-12gb", 32, 32)]
    [InlineData("10GiB", 16, 28)]
    [InlineData("7.5GiB", 0, 0)]
    public void Residual_bits_take_what_the_budget_leaves(string budget, int least, int most)
    {
        CliResult result = Cli.Run($"plan --model 7b --batch-size 1 --seq-len 1024 --residual-bits 4 --budget {budget} --json");
        Assert.Equal((0, string.Empty), (result.ExitCode, result.Error));
        using var json = JsonDocument.Parse(result.Output);
        int layers = int.Parse(json.RootElement.GetProperty("choices").GetProperty("residualLayers").ToString(), System.Globalization.CultureInfo.InvariantCulture);
        Assert.InRange(layers, least, most);
        Assert.Equal(6_476_005_376 / 2 / 32 * layers, json.RootElement.GetProperty("device").GetProperty("categories").GetProperty("residuals").GetInt64());
    }

    /// <summary>What is claimed of a card holds for what the card gives; the table of the same output says so too.</summary>
    [Theory]
    [InlineData("--model 7b --batch-size 1 --seq-len 256", "rtx-3070-8gb")]
    [InlineData("--model 7b --batch-size 1 --seq-len 1024", "rtx-3070-8gb")]
    [InlineData("--model 7b --batch-size 1 --seq-len 1024 --head-weights bf16 --head-optimizer adamw", "rtx-3080-10gb")]
    [InlineData("--model 7b --batch-size 1 --seq-len 1024 --grad-accum 32 --host-budget 16GiB", "rtx-3060-12gb")]
    [InlineData("--model llama3-8b --batch-size 1 --seq-len 1024 --head-weights bf16", "rtx-3060-12gb")]
    [InlineData("--model 13b --batch-size 1 --seq-len 256 --head-weights bf16", "rtx-4080-16gb")]
    public void A_plan_for_a_card_fits_on_it(string options, string card)
    {
        CliResult result = Cli.Run($"plan {options} --budget {card} --json");
        Assert.Equal((0, string.Empty), (result.ExitCode, result.Error));
        using var json = JsonDocument.Parse(result.Output);
        JsonElement bound = json.RootElement.GetProperty("speedOfLight").EnumerateArray().Single(bound => bound.GetProperty("card").GetString() == card);
        Assert.True(bound.GetProperty("fits").GetBoolean());
        Assert.InRange(json.RootElement.GetProperty("device").GetProperty("totalBytes").GetInt64(), 6 * GiB, bound.GetProperty("usableBytes").GetInt64());
    }

    [Fact]
    public void A_budget_of_a_cards_size_is_more_than_the_card_gives_and_that_is_said()
    {
        CliResult result = Cli.Run("plan --model 13b --batch-size 1 --seq-len 256 --budget 16GiB");
        Assert.Equal(0, result.ExitCode);
        Assert.Contains("A card of 16.00 GiB gives a program 15.20 GiB: this plan does not fit on one; name the card (--budget rtx-", result.Output, StringComparison.Ordinal);
        Assert.Matches("RTX 4080 +15.20 GiB +no ", result.Output);
        Assert.DoesNotContain("gives a program", Cli.Run("plan --model 7b --batch-size 1 --seq-len 256 --budget 16GiB").Output, StringComparison.Ordinal);
    }

    /// <summary>On a machine without a GPU, too.</summary>
    [Fact]
    public void The_help_tells_the_device_that_is_planned_for()
    {
        string help = Cli.Run("plan --help").Output;
        Assert.Matches(@"Default: cuda;\s+auto\s+with\s+--budget\s+auto", help);
        Assert.Contains("device cuda", Cli.Run("plan").Output, StringComparison.Ordinal);
        CliResult free = Cli.Run("plan --batch-size 1 --seq-len 32 --budget auto");
        Assert.Equal((0, string.Empty), (free.ExitCode, free.Error));
        Assert.Matches("device (cpu|cuda)", free.Output);
    }

    /// <summary>With everything conceded but what the option names; in MiB, as `plan` itself names it for a budget that is too small.</summary>
    [Theory]
    [InlineData("--model 9m", "9m: 8,995,968 parameters")]
    [InlineData("--model 9m --vocab-size 4032", "9m: 1,836,160 parameters")]
    [InlineData("--model 9m --tokenizer gpt2", "9m: 13,681,792 parameters")]
    public void A_preset_has_the_published_vocabulary_unless_one_is_given(string options, string expected)
    {
        CliResult result = Cli.Run($"plan {options} --device cpu");
        Assert.True(result.ExitCode == 0, result.Error);
        Assert.StartsWith(expected, result.Output, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("--model 7b --batch-size 1 --seq-len 256 --head-weights bf16 --layers device", 7802)]
    [InlineData("--model 7b --batch-size 1 --seq-len 1024 --layers device", 7661)]
    [InlineData("--model 7b --batch-size 1 --seq-len 1024", 1735)]
    [InlineData("--model 7b --batch-size 1 --seq-len 1024 --grad-accum 32", 2036)]
    public void The_least_memory_is_known_and_does_not_grow(string options, int mebibytes)
    {
        CliResult tooSmall = Cli.Run($"plan {options} --budget 1GiB");
        Assert.Equal((1, string.Empty), (tooSmall.ExitCode, tooSmall.Output));
        Assert.Contains($"the smallest that would do is {mebibytes}MiB, with --batch-size 1", tooSmall.Error, StringComparison.Ordinal);
        Assert.Equal(0, Cli.Run($"plan {options} --budget {mebibytes}MiB").ExitCode);
    }

    /// <summary>cuBLASLt reads a layer's matrices in BF16: of 7B, 2 bytes of 4 * 4096² + 3 * 4096 * 11008 weights.</summary>
    [Fact]
    public void What_cuBLASLt_needs_is_counted_and_can_be_given_up()
    {
        long Arena(string more)
        {
            CliResult result = Cli.Run($"plan --model 7b --batch-size 1 --seq-len 256 --grad-accum 4 --json {more}");
            Assert.Equal((0, string.Empty), (result.ExitCode, result.Error));
            using var json = JsonDocument.Parse(result.Output);
            return json.RootElement.GetProperty("device").GetProperty("totalBytes").GetInt64();
        }

        const long Layer = 2L * ((4L * 4096 * 4096) + (3L * 4096 * 11008));
        long own = Arena("--gemm own");
        Assert.Equal(own, Arena(string.Empty));
        Assert.InRange(Arena("--gemm cublaslt"), own + (Layer / 2), own + Layer + (16 << 20));
        Assert.InRange(Arena("--gemm cublaslt --expand-weights off"), own, own + (16 << 20));
        Assert.InRange(Arena("--gemm cublaslt --budget 9.5GB"), 6 * GiB, 9_500_000_000);
    }

    [Fact]
    public void The_table_and_the_page_tell_the_same()
    {
        using var folder = new TempFolder();
        string page = folder.File("plan.html");
        CliResult result = Cli.Run($"plan --model 7b --batch-size 1 --seq-len 1024 --html \"{page}\"");
        Assert.Equal(0, result.ExitCode);
        foreach (string text in new[] { "driver context", "embedding and head", "linear weight gradient (loss and head)", "RTX 3060 12 GB" })
        {
            Assert.Contains(text, result.Output, StringComparison.Ordinal);
        }

        string total = result.Output.Split('\n').First(line => line.StartsWith("  total", StringComparison.Ordinal)).Split("  ", StringSplitOptions.RemoveEmptyEntries)[^1].Trim();
        Assert.Contains($"<b>{total}</b>", File.ReadAllText(page), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("--budget 12", "--budget: '12' has no unit")]
    [InlineData("--budget=-3GiB", "--budget: '-3GiB' is not a positive size")]
    [InlineData("--budget 1KiB", "--budget: '1KiB' is too little")]
    [InlineData("--budget 10PiB", "--budget: '10PiB' is more memory than there is")]
    [InlineData("--budget rtx-9999", "rtx-3060-12gb, rtx-3070-8gb")]
    [InlineData("--host-budget 5", "--host-budget: '5' has no unit")]
    [InlineData("--device tpu", "--device: 'tpu' is not known")]
    [InlineData("--ranks 0", "--ranks: '0'")]
    [InlineData("--ranks 2 --link 25GB", "--link: '25GB'")]
    [InlineData("--ranks 2 --link 25Gb/s", "--link: '25Gb/s' is not valid; it takes a size per second such as 25GB/s, or its bits such as 200Gbit/s")]
    [InlineData("--ranks 2 --link 0B/s", "--link: '0B/s'")]
    [InlineData("--batch-size 100000 --seq-len 100000", "at most 16777216 tokens")]
    public void Bad_input_is_one_clear_line_and_exit_code_2(string options, string message)
    {
        CliResult result = Cli.Run($"plan {options}");
        Assert.Equal((2, string.Empty), (result.ExitCode, result.Output));
        Assert.Contains(message, result.Error, StringComparison.Ordinal);
        Assert.Single(result.Error.Trim().Split('\n'));
    }

    [Theory]
    [InlineData("\"num_hidden_layers\": 0, \"intermediate_size\": 64", "num_hidden_layers is 0")]
    [InlineData("\"num_hidden_layers\": 10000, \"intermediate_size\": 2147483647", "at most 1073741824 is supported")]
    [InlineData("\"num_hidden_layers\": 1, \"intermediate_size\": 1000000000", "more bytes than can be counted")]
    public void Impossible_models_are_one_clear_line(string sizes, string message)
    {
        using var folder = new TempFolder();
        string config = folder.File("config.json");
        File.WriteAllText(config, $"{{\"hidden_size\": 100000000, \"num_attention_heads\": 8, \"vocab_size\": 1000000, {sizes}}}");
        CliResult result = Cli.Run($"plan --model \"{config}\"");
        Assert.Equal((2, string.Empty), (result.ExitCode, result.Output));
        Assert.Contains(message, result.Error, StringComparison.Ordinal);
        Assert.Single(result.Error.Trim().Split('\n'));
    }

    [Fact]
    public void A_link_may_be_told_in_bits_and_stands_beside_the_papers_row()
    {
        using var bits = JsonDocument.Parse(Cli.Run("plan --json --ranks 8 --link 200Gbit/s").Output);
        Assert.Equal(25e9, bits.RootElement.GetProperty("ranks").GetProperty("linkBytesPerSecond").GetDouble());
        CliResult result = Cli.Run("plan --ranks 8 --link 200Gbit/s");
        Assert.Contains("Over a link of 25 GB/s.", result.Output, StringComparison.Ordinal);
        Assert.Contains("8 x A100 80 GB, 512 sequences of 256 tokens per update: 3 times AdamW's throughput", result.Output, StringComparison.Ordinal);
    }

    [Fact]
    public void Ranks_cost_memory_and_time_on_the_wire()
    {
        using JsonDocument alone = Plan("--ranks 1 --link 25GB/s");
        using JsonDocument eight = Plan("--ranks 8 --link 25GB/s");
        using JsonDocument narrow = Plan("--ranks 8 --link 25GB/s --wire-dtype bf16 --exchange host");
        Assert.Equal(0, alone.RootElement.GetProperty("ranks").GetProperty("bytesPerUpdate").GetDouble());
        JsonElement ranks = eight.RootElement.GetProperty("ranks");
        double bytes = ranks.GetProperty("bytesPerUpdate").GetDouble();
        Assert.Equal(2 * 7 / 8.0 * 4 * 6_738_415_616, bytes);
        Assert.Equal(bytes / 25e9, ranks.GetProperty("wireSeconds").GetDouble(), 1e-6);
        Assert.InRange(narrow.RootElement.GetProperty("ranks").GetProperty("bytesPerUpdate").GetDouble(), bytes * 0.5, bytes * 0.501);
        JsonElement efficiency = ranks.GetProperty("efficiency").EnumerateArray().Single(card => card.GetProperty("card").GetString() == "a100-80gb");
        Assert.Equal(1, efficiency.GetProperty("1").GetDouble());
        Assert.InRange(efficiency.GetProperty("64").GetDouble(), 0, efficiency.GetProperty("2").GetDouble());
        Assert.False(Pinned(alone).TryGetProperty("exchange", out _));
        Assert.Equal(8 << 20, Pinned(eight).GetProperty("exchange").GetInt64());
        Assert.Equal(12 << 20, Pinned(narrow).GetProperty("exchange").GetInt64());
        Assert.Equal(256 << 20, Context(eight) - Context(alone));
        Assert.Equal(Context(alone), Context(narrow));

        static JsonDocument Plan(string options) => JsonDocument.Parse(Cli.Run($"plan --model 7b --seq-len 256 --batch-size 1 --json {options}").Output);
        static JsonElement Pinned(JsonDocument plan) => plan.RootElement.GetProperty("pinnedHost").GetProperty("categories");
        static long Context(JsonDocument plan) => plan.RootElement.GetProperty("device").GetProperty("categories").GetProperty("context").GetInt64();
    }

    [Fact]
    public void A_report_has_no_rows_of_nothing_and_offers_nothing_that_saves_nothing()
    {
        string report = QApolloProcess.Run("plan", "--model", "demo", "--device", "cuda").Output;
        string[] tables = report.ReplaceLineEndings("\n").Split("\n\n");
        string memory = Assert.Single(tables, table => table.StartsWith("Device memory at the peak", StringComparison.Ordinal));
        Assert.DoesNotMatch(@"(?m)\s0\s+0 B$", memory);
        string choices = Assert.Single(tables, table => table.StartsWith("Further choices", StringComparison.Ordinal));
        Assert.All(choices.Split('\n').Skip(2).Where(row => row.Length > 0), row => Assert.Matches(@"[-\u2212][0-9.]+ (B|[KMG]iB)", row));
        string speed = Assert.Single(tables, table => table.StartsWith("Speed of light", StringComparison.Ordinal));
        Assert.Contains("over 1,000,000", speed, StringComparison.Ordinal);
        Assert.DoesNotContain(" 0.00 ", speed, StringComparison.Ordinal);
        Assert.DoesNotContain("8 bits of precision", report, StringComparison.Ordinal);
    }
}
