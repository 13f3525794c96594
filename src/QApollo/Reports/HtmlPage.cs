using System.Globalization;
using System.Net;
using System.Text;

namespace QApollo.Reports;

/// <summary>Builds one self-contained page of the reports: nothing fetched, light and dark by the reader's preference.</summary>
internal sealed class HtmlPage
{
    /// <summary>Nothing is fetched, and no text of a file can make the page fetch anything.</summary>
    private const string Policy = "default-src 'none';style-src 'unsafe-inline';script-src 'unsafe-inline'";

    private readonly StringBuilder _body = new();

    public static string Escape(string text) => WebUtility.HtmlEncode(text);

    /// <summary>The colour of a category, for both colour schemes.</summary>
    public static string Color(int category) => string.Create(CultureInfo.InvariantCulture, $"var(--c{category})");

    public HtmlPage Add(string html)
    {
        _body.Append(html).Append('\n');
        return this;
    }

    public HtmlPage Heading(string text) => Add($"<h2>{Escape(text)}</h2>");

    public HtmlPage Paragraph(string text) => Add($"<p>{Escape(text)}</p>");

    /// <summary>Large figures side by side.</summary>
    public HtmlPage Tiles(params IEnumerable<(string Value, string Label)> tiles) => Add(
        $"<div class=\"tiles\">{string.Concat(tiles.Select(tile => $"<div class=\"tile\"><b>{Escape(tile.Value)}</b><span>{Escape(tile.Label)}</span></div>"))}</div>");

    /// <param name="rows">Cells as HTML.</param>
    /// <param name="numbers">Columns of numbers, which are aligned to the right.</param>
    public HtmlPage Table(IReadOnlyList<string> header, IEnumerable<IReadOnlyList<string>> rows, params int[] numbers)
    {
        string Align(int column) => numbers.Contains(column) ? " class=\"n\"" : string.Empty;
        _body.Append("<div class=\"wide\"><table><tr>");
        for (int column = 0; column < header.Count; column++)
        {
            _body.Append(CultureInfo.InvariantCulture, $"<th{Align(column)}>{Escape(header[column])}</th>");
        }

        _body.Append("</tr>\n");
        foreach (IReadOnlyList<string> row in rows)
        {
            _body.Append("<tr>");
            for (int column = 0; column < row.Count; column++)
            {
                _body.Append(CultureInfo.InvariantCulture, $"<td{Align(column)}>{row[column]}</td>");
            }

            _body.Append("</tr>\n");
        }

        return Add("</table></div>");
    }

    /// <summary>Data and the script that draws it into each figure of class "curve".</summary>
    /// <param name="json">As System.Text.Json writes it by default: without any character that could end the element.</param>
    public HtmlPage Curves(string json) => Add($"<script type=\"application/json\" id=\"data\">{json}</script>\n<script>\n{Resource("charts.js")}</script>");

    /// <param name="refreshSeconds">After which a browser reads the page anew; 0 for never.</param>
    public string ToString(string title, int refreshSeconds = 0) => $"""
        <!DOCTYPE html>
        <html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
        <meta http-equiv="Content-Security-Policy" content="{Policy}">{(refreshSeconds > 0 ? string.Create(CultureInfo.InvariantCulture, $"<meta http-equiv=\"refresh\" content=\"{refreshSeconds}\">") : string.Empty)}
        <title>{Escape(title)}</title><style>
        {Resource("page.css")}</style></head><body>
        {_body}</body></html>

        """;

    private static string Resource(string name)
    {
        using var reader = new StreamReader(typeof(HtmlPage).Assembly.GetManifestResourceStream($"QApollo.Reports.Page.{name}")!);
        return reader.ReadToEnd();
    }
}
