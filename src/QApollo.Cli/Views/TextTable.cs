using System.Text;
using Spectre.Console;

namespace QApollo.Cli.Views;

/// <summary>Tables: drawn in a terminal, aligned with spaces in a pipe or a file.</summary>
internal static class TextTable
{
    /// <param name="numbers">Columns of numbers, which are aligned to the right.</param>
    public static void Write(string title, IReadOnlyList<string> header, IEnumerable<IReadOnlyList<string>> rows, params int[] numbers)
    {
        IReadOnlyList<string>[] all = [.. rows];
        if (Console.IsOutputRedirected)
        {
            Console.Out.Write(Plain(title, header, all, numbers));
            return;
        }

        var table = new Table().Title(Markup.Escape(title)).Border(TableBorder.Simple);
        for (int column = 0; column < header.Count; column++)
        {
            var tableColumn = new TableColumn(Markup.Escape(header[column]));
            table.AddColumn(numbers.Contains(column) ? tableColumn.RightAligned() : tableColumn);
        }

        foreach (IReadOnlyList<string> row in all)
        {
            table.AddRow([.. row.Select(cell => Markup.Escape(Printable.OnOneLine(cell)))]);
        }

        Terminal.Ansi.Write(table);
    }

    /// <summary>As <see cref="Write"/>; nothing where there are no rows.</summary>
    public static void WriteAny(string title, IReadOnlyList<string> header, IEnumerable<IReadOnlyList<string>> rows, params int[] numbers)
    {
        IReadOnlyList<string>[] all = [.. rows];
        if (all.Length > 0)
        {
            Write(title, header, all, numbers);
        }
    }

    /// <summary>The title on a line, then header and rows with two spaces between columns.</summary>
    internal static string Plain(string title, IReadOnlyList<string> header, IReadOnlyList<IReadOnlyList<string>> rows, params int[] numbers)
    {
        int[] widths = [.. header.Select((text, column) => rows.Select(row => row[column].Length).Append(text.Length).Max())];
        var text = new StringBuilder(title).AppendLine();
        foreach (IReadOnlyList<string> row in rows.Prepend(header))
        {
            IEnumerable<string> cells = row.Select((cell, column) => numbers.Contains(column) ? cell.PadLeft(widths[column]) : cell.PadRight(widths[column]));
            text.AppendLine(("  " + string.Join("  ", cells)).TrimEnd());
        }

        return text.AppendLine().ToString();
    }
}
