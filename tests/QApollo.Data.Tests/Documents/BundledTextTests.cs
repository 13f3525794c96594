using System.Text;
using Xunit;

namespace QApollo.Data.Tests.Documents;

public class BundledTextTests
{
    [Fact]
    public void The_text_is_whole_and_in_sections()
    {
        string[] sections = [.. BundledText.ReadDocuments().Select(document => Encoding.UTF8.GetString(document.Span))];
        Assert.InRange(sections.Length, 30, 200);
        Assert.Contains(sections, section => section.Contains("We the People of the United States", StringComparison.Ordinal));
        Assert.InRange(sections.Sum(section => section.Length), 44_000, 46_000);
        Assert.All(sections, section => Assert.Matches("^[^\r]*[^\\s]\n$", section));
    }
}
