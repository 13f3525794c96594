using System.Text;
using Xunit;

namespace QApollo.Data.Tests.Documents;

public sealed class SdkDocumentationTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Members_become_headings_and_flattened_text()
    {
        Pack("Some.Ref", "1.0.0", "A.xml", """
            <doc><assembly><name>A</name></assembly><members>
            <member name="M:N.Box`1.Put(`0,System.Int32)">
              <summary>Puts <paramref name="item" /> into
                 the <see cref="T:N.Box`1" />; see <see cref="M:N.Box`1.#ctor" /> and <see langword="null" />.
                 <para>Twice.</para></summary>
              <param name="item">What to put.</param>
              <param name="count"></param>
              <returns>The <see cref="F:N.Limits.Most">most</see> it holds.</returns>
              <exception cref="T:System.ArgumentException">Never.</exception>
              <remarks><list type="bullet"><item><term>One</term><description>first</description></item><item>second</item></list>
                <code>int x;</code></remarks>
            </member>
            <member name="P:N.Box`1.Size"><summary /></member>
            <member name="M:N.Box`1.#ctor"><summary>Makes it.</summary></member>
            <member name="M:N.Other.op_Addition(N.Other,N.Other)"><summary>Adds.</summary></member>
            <member name="T:N.Copy"><summary>Makes it.</summary></member>
            </members></doc>
            """);

        string text = Text(SdkDocumentation.Find([_folder.Path]), long.MaxValue);

        Assert.Equal(
            """
            A

            Box.Put
            Puts item into the Box; see Box and null.
            Twice.
            One: first
            second
            item: What to put.
            Returns: The most it holds.

            Box constructor
            Makes it.

            Other operator Addition
            Adds.


            """,
            text);
    }

    [Fact]
    public void Newest_version_of_a_pack_is_taken_and_each_file_name_once()
    {
        Pack("A.Ref", "9.0.11", "X.xml", Doc("old"));
        Pack("A.Ref", "10.0.2", "X.xml", Doc("new"));
        Pack("B.Ref", "10.0.2", "X.xml", Doc("again"));
        Pack("B.Ref", "10.0.2", "Y.xml", Doc("more"));

        SdkDocumentation found = SdkDocumentation.Find([_folder.File("nowhere"), _folder.Path]);

        Assert.Equal(["X.xml", "Y.xml"], found.Files.Select(Path.GetFileName));
        Assert.Equal("T\nnew\n\nT\nmore\n\n", Text(found, long.MaxValue));
        Assert.Contains("2 files", found.Description, StringComparison.Ordinal);
    }

    [Fact]
    public void A_limit_takes_from_every_file_and_is_kept()
    {
        foreach (string name in (string[])["A.xml", "B.xml", "C.xml"])
        {
            Pack("A.Ref", "1.0.0", name, Doc([.. Enumerable.Range(0, 200).Select(i => $"text {i} of {name}")]));
        }

        byte[][] documents = [.. SdkDocumentation.Find([_folder.Path]).ReadDocuments(maxBytes: 3000).Select(d => d.ToArray())];

        Assert.Equal(3, documents.Length);
        Assert.All(documents, document => Assert.InRange(document.Length, 900, 1100));
        Assert.InRange(documents.Sum(document => document.Length), 2900, 3000);
    }

    [Fact]
    public void This_machine_has_documentation_and_reads_it_equally_twice()
    {
        SdkDocumentation found = SdkDocumentation.Find();

        string text = Text(found, 500_000);

        Assert.InRange(text.Length, 400_000, 500_000);
        Assert.DoesNotContain("<see", text, StringComparison.Ordinal);
        Assert.Equal(text, Text(SdkDocumentation.Find(), 500_000));
    }

    [Fact]
    public void Missing_documentation_says_what_to_pass()
    {
        Directory.CreateDirectory(_folder.File("packs/Empty.Ref/1.0.0/ref/net10.0"));

        UsageException error = Assert.Throws<UsageException>(() => SdkDocumentation.Find([_folder.Path]));

        Assert.Contains("--data", error.Message, StringComparison.Ordinal);
        Assert.Contains(_folder.Path, error.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("<doc><members><member name='T:A'><summary>x</summ", "line 1")]
    [InlineData("<project><a/></project>", "<doc>")]
    [InlineData("", "broken XML")]
    [InlineData("<!DOCTYPE doc [<!ENTITY a 'aaaaaaaaaa'>]><doc>&a;</doc>", "broken XML")]
    public void Broken_files_are_named(string xml, string expected)
    {
        Pack("A.Ref", "1.0.0", "X.xml", xml);

        InvalidFileException error = Assert.Throws<InvalidFileException>(() => Text(SdkDocumentation.Find([_folder.Path]), long.MaxValue));

        Assert.Contains("X.xml", error.Message, StringComparison.Ordinal);
        Assert.Contains(expected, error.Message, StringComparison.Ordinal);
    }

    private static string Doc(params string[] summaries) =>
        $"<doc><members>{string.Concat(summaries.Select(s => $"<member name='T:N.T'><summary>{s}</summary></member>"))}</members></doc>";

    private static string Text(SdkDocumentation documentation, long maxBytes) =>
        string.Concat(documentation.ReadDocuments(maxBytes).Select(document => Encoding.UTF8.GetString(document.Span)));

    private void Pack(string pack, string version, string name, string xml) =>
        _folder.Write($"packs/{pack}/{version}/ref/net10.0/{name}", xml);
}
