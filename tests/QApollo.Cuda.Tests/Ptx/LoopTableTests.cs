using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using System.Text.RegularExpressions;
using QApollo.Cuda.Driver;
using Xunit;

namespace QApollo.Cuda.Tests.Ptx;

/// <summary>The table of what the assembler makes of the loops (docs/kernel-costs.md): of the PTX at hand, and within bounds.</summary>
public partial class LoopTableTests
{
    private static readonly string s_document = File.ReadAllText(Path.Combine(Repository.Root, "docs", "kernel-costs.md"));

    /// <summary>Kernels by pattern, and instructions in their loops per instruction of the tensor cores, at most, on each architecture.</summary>
    public static TheoryData<string, double> Bounds => new()
    {
        { "^linear_(forward|input_gradient)_bf16_128$", 2.4 },
        { "^linear_weight_gradient_(f32|bf16)_128$", 2.3 },
        { "^linear_weight_gradient_(f32|bf16)_64$", 2.9 },
        { "^linear_(forward|input_gradient)_bf16_64$", 3 },
        { "^linear_(forward|input_gradient)_i8_128$", 3.5 },
        { "^linear_(forward|input_gradient)_i8_64$", 5.2 },
        { "^linear_(forward|input_gradient)_i8_128_any$", 6.5 },
        { "^attention_forward(_masked)?_128$", 7 },
        { "^attention_backward(_any|_masked)?_(q|kv)_128$", 6 },
    };

    [Fact]
    public void Table_is_that_of_the_shipped_kernels()
    {
        byte[][] files =
        [
            .. Directory.EnumerateFiles(Repository.Kernels, "*.cu").Select(path => Path.GetFileNameWithoutExtension(path))
                .OrderBy(name => name + ".ptx", StringComparer.Ordinal).Select(name => KernelModules.ReadPtx(name)[..^1])
                .Where(ptx => ptx.AsSpan().IndexOf("mma.sync"u8) >= 0),
        ];
        string stamp = Convert.ToHexStringLower(SHA256.HashData([.. files.SelectMany(ptx => ptx)]));
        Assert.True(s_document.Contains($"<!-- loops of {stamp} -->", StringComparison.Ordinal), "kernels with tensor core products changed: run tools/kernels/sass.sh write");
        var kernels = files.SelectMany(ptx => EntryPattern().Matches(Encoding.UTF8.GetString(ptx))).Select(entry => entry.Groups[1].Value);
        Assert.Equal(kernels.Order(StringComparer.Ordinal), Rows().Select(row => row[0]).Order(StringComparer.Ordinal));
    }

    [Theory]
    [MemberData(nameof(Bounds))]
    public void Loops_are_lean(string kernels, double most)
    {
        string[][] rows = [.. Rows().Where(row => Regex.IsMatch(row[0], kernels))];
        Assert.NotEmpty(rows);
        Assert.All(rows, row => Assert.All(row[2..5], ratio => Assert.True(double.Parse(ratio, CultureInfo.InvariantCulture) <= most, $"{row[0]}: {ratio}")));
    }

    [Fact]
    public void Nothing_spills() => Assert.All(Rows(), row => Assert.Equal("0", row[6]));

    private static IEnumerable<string[]> Rows() =>
        from line in s_document.Split("<!-- loops of ")[1].Split("<!-- end of loops -->")[0].Split('\n')
        where line.StartsWith("| linear_", StringComparison.Ordinal) || line.StartsWith("| attention_", StringComparison.Ordinal)
        select Array.ConvertAll(line.Trim().Trim('|').Split('|'), cell => cell.Trim());

    [GeneratedRegex(@"^\.visible \.entry (\w+)\(", RegexOptions.Multiline)]
    private static partial Regex EntryPattern();
}
