using System.Text;
using QApollo.Cuda.Driver;
using Xunit;

namespace QApollo.Cuda.Tests.Driver;

public class PtxTextTests
{
    private const string File = """
        .version 7.8
        .global .b8 table[4];
        .visible .entry scale(
        	.param .u64 scale_param_0
        )
        {
        	ret;

        }
        	// .globl	scale_rows
        .visible .entry scale_rows(
        )
        {
        	ret;
        }
        """;

    [Theory]
    [InlineData("scale", "0 1 2 3 4 5 6 7 8 9")]
    [InlineData("scale_rows", "0 1 9 10 11 12 13 14")]
    [InlineData("rows", "0 1 9")]
    public void Other_kernels_are_left_empty(string kernel, string keptLines)
    {
        int[] kept = [.. keptLines.Split(' ').Select(int.Parse)];
        string[] lines = File.Split('\n');
        string expected = string.Join('\n', lines.Select((line, i) => kept.Contains(i) ? line : string.Empty));
        Assert.Equal(expected.TrimEnd('\n'), Encoding.UTF8.GetString(PtxText.Only(Encoding.UTF8.GetBytes(File), kernel)).TrimEnd('\n'));
    }

    /// <summary>What is shipped has entries where the cut looks for them.</summary>
    [Fact]
    public void The_kernels_of_a_file_are_all_of_it()
    {
        byte[] file = KernelModules.ReadPtx("rmsnorm");
        string[] names = [.. PtxTests.Entries("rmsnorm").Select(entry => entry.Name)];
        string[] lines = Encoding.UTF8.GetString(file).Split('\n');
        string[][] cuts = [.. names.Select(name => Encoding.UTF8.GetString(PtxText.Only(file, name)).Split('\n'))];
        string[] header = Encoding.UTF8.GetString(PtxText.Only(file, "none")).Split('\n');
        Assert.All(cuts, cut => Assert.Single(cut, line => line.StartsWith(".visible .entry ", StringComparison.Ordinal)));
        for (int i = 0; i < lines.Length; i++)
        {
            Assert.Equal(header[i].Length > 0 ? names.Length : lines[i].Length > 0 ? 1 : 0, cuts.Count(cut => cut[i].Length > 0));
            Assert.All(cuts.Where(cut => cut[i].Length > 0), cut => Assert.Equal(lines[i], cut[i]));
        }
    }
}
