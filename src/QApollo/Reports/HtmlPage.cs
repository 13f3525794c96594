using System.Globalization;
using System.Net;
using System.Text;
using QApollo.Files;

namespace QApollo.Reports;

/// <summary>Builds one self-contained page: nothing fetched, light and dark by the reader's preference.</summary>
internal sealed class HtmlPage
{
    private const string Style = """
        :root{color-scheme:light dark;--ink:#1b1f24;--soft:#59636e;--line:#d4dae1;--paper:#fff;--panel:#f6f8fa;
        --c0:#2f6fb3;--c1:#8db8e0;--c2:#1f8a70;--c3:#9a9fa6;--c4:#e0a32e;--c5:#c8502d;--c6:#7b5cb8;--c7:#d58ab4;--c8:#6f8f2f;--c9:#57606a;--c10:#38a3b8;--c11:#c9ced4;--c12:#a7896b;--c13:#a33a63;--c14:#4b6a4f}
        @media(prefers-color-scheme:dark){:root{--ink:#e6eaef;--soft:#9aa5b1;--line:#353c45;--paper:#14181d;--panel:#1c2229;
        --c0:#4f8fd6;--c1:#2f5680;--c2:#35a98b;--c3:#7d848c;--c4:#d9a441;--c5:#e0704a;--c6:#9b7fd6;--c7:#c77aa5;--c8:#93b84a;--c9:#aab3bd;--c10:#4fb9cd;--c11:#4a525c;--c12:#b89a7c;--c13:#d66a93;--c14:#7fa584}}
        *{box-sizing:border-box}body{margin:0 auto;padding:28px 20px 60px;max-width:1040px;font:15px/1.5 system-ui,sans-serif;color:var(--ink);background:var(--paper)}
        h1{font-size:24px;margin:0 0 4px}h2{font-size:17px;margin:34px 0 10px}p{margin:6px 0;max-width:76ch}.soft{color:var(--soft)}
        .tiles{display:flex;flex-wrap:wrap;gap:12px;margin:18px 0}.tile{background:var(--panel);border:1px solid var(--line);border-radius:8px;padding:10px 16px;min-width:150px}
        .tile b{display:block;font-size:20px}.tile span{color:var(--soft);font-size:13px}
        .wide{overflow-x:auto}table{border-collapse:collapse;font-variant-numeric:tabular-nums;margin:8px 0}
        th,td{padding:4px 14px 4px 0;text-align:left;border-bottom:1px solid var(--line);vertical-align:top}th{font-weight:600;color:var(--soft);font-size:13px}
        .n{text-align:right;white-space:nowrap}.name{white-space:nowrap}.chip{display:inline-block;width:11px;height:11px;border-radius:2px;margin-right:8px}
        svg{display:block;width:100%;height:auto;max-width:1000px}svg text{font:12px system-ui,sans-serif;fill:var(--soft)}
        .chart{min-width:760px}
        #axis{display:flex;flex-wrap:wrap;gap:6px;align-items:center;margin:16px 0}#axis button{font:inherit;color:var(--ink);background:var(--panel);border:1px solid var(--line);border-radius:6px;padding:3px 12px}
        #axis button.on{background:var(--c0);color:#fff}.tip{min-height:22px;font-size:13px}.tip>span{margin-right:14px;white-space:nowrap}
        pre{background:var(--panel);border:1px solid var(--line);border-radius:8px;padding:10px 14px;white-space:pre-wrap;overflow-wrap:anywhere;margin:6px 0}td{overflow-wrap:break-word}
        code{font:13px ui-monospace,monospace;background:var(--panel);padding:1px 5px;border-radius:4px}
        """;

    private const string Generator = "<meta name=\"generator\" content=\"qapollo\">";

    private readonly StringBuilder _body = new();

    /// <summary>Whether a file is such a page, which may be written anew; false for one that cannot be read.</summary>
    public static bool IsOne(string path)
    {
        try
        {
            if (RegularFile.LengthOf(path) == 0)
            {
                return false;
            }

            // A reader may have it open, and it may be replaced meanwhile.
            using var file = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete, bufferSize: 0);
            byte[] head = new byte[512];
            int read = file.ReadAtLeast(head, head.Length, throwOnEndOfStream: false);
            return Encoding.UTF8.GetString(head, 0, read).Contains(Generator, StringComparison.Ordinal);
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            return false;
        }
    }

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

    public string ToString(string title) => $"""
        <!DOCTYPE html>
        <html lang="en"><head><meta charset="utf-8">{Generator}<meta name="viewport" content="width=device-width, initial-scale=1">
        <title>{Escape(title)}</title><style>
        {Style}
        </style></head><body>
        {_body}</body></html>

        """;
}
