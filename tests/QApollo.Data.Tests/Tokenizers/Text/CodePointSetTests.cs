using QApollo.Data.Tokenizers.Text;
using Xunit;

namespace QApollo.Data.Tests.Tokenizers.Text;

public class CodePointSetTests
{
    private static readonly int[] Probes = [0, 9, 'a', 'm', 'z', 0x7F, 0x80, 0xFF, 0x100, 0x4E2D, 0xFFFF, 0x10000, 0x1D49C, 0x10FFFF];

    [Fact]
    public void Algebra_agrees_with_membership()
    {
        var random = new Random(2);
        for (int round = 0; round < 200; round++)
        {
            CodePointSet left = RandomSet(random);
            CodePointSet right = RandomSet(random);
            foreach (int probe in Probes.Concat(left.Ranges().Concat(right.Ranges()).SelectMany(range => new[] { range.First, range.Last })))
            {
                Assert.Equal(left.Contains(probe) || right.Contains(probe), (left | right).Contains(probe));
                Assert.Equal(left.Contains(probe) && right.Contains(probe), (left & right).Contains(probe));
                Assert.Equal(!left.Contains(probe), (~left).Contains(probe));
            }
        }
    }

    [Fact]
    public void First_bytes_cover_every_member()
    {
        CodePointSet set = CodePointSet.Of('x', 0x1F44D);
        bool[] bytes = set.FirstBytes();
        Assert.True(bytes['x'] && bytes[0xF0]);
        Assert.False(bytes['y']);
    }

    [Theory]
    [InlineData("L", 0x1D49C, true)]
    [InlineData("Letter", 'a', true)]
    [InlineData("Lu", 'a', false)]
    [InlineData("uppercase_letter", 'A', true)]
    [InlineData("N", 0xB2, true)]
    [InlineData("Nd", 0xB2, false)]
    [InlineData("Han", 0x20000, true)]
    [InlineData("space", 0x85, true)]
    [InlineData("space", 0x200B, false)]
    public void Properties_go_by_their_names(string name, int codePoint, bool member) =>
        Assert.Equal(member, UnicodeProperties.Find(name)!.Contains(codePoint));

    [Fact]
    public void Folding_adds_all_cases()
    {
        CodePointSet set = CaseFolding.Close(CodePointSet.Of('s', 'K', 0x3C3, 0x10400));
        foreach (int member in new[] { 's', 'S', 0x17F, 'k', 0x212A, 0x3A3, 0x3C2, 0x10428 })
        {
            Assert.True(set.Contains(member), $"{member:X}");
        }

        Assert.False(set.Contains('t'));
    }

    private static CodePointSet RandomSet(Random random)
    {
        CodePointSet set = CodePointSet.Empty;
        for (int i = 0; i < 5; i++)
        {
            int first = random.Next(Utf8Text.CodePoints);
            set |= CodePointSet.Range(first, Math.Min(Utf8Text.CodePoints - 1, first + random.Next(100_000)));
        }

        return set;
    }
}
