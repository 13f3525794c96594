using System.Text;
using Spectre.Console;

namespace QApollo.Cli.Views;

/// <summary>
/// Standard output and error. What is written through <see cref="Console"/> is cleaned on its way, whoever wrote it and
/// wherever the text came from: names in files, and files' names, must not steer a terminal. Views that move the cursor
/// write to the streams here, and clean what they show.
/// </summary>
internal static class Terminal
{
    private static IAnsiConsole? ansi;

    /// <summary>Standard output as it is.</summary>
    public static TextWriter Out { get; private set; } = Console.Out;

    /// <summary>Standard error as it is.</summary>
    public static TextWriter Error { get; private set; } = Console.Error;

    /// <summary>Draws on standard output as it is.</summary>
    public static IAnsiConsole Ansi => ansi ??= AnsiConsole.Create(new AnsiConsoleSettings { Out = new AnsiOutput(Out) });

    /// <summary>Opens both streams, while there are handles for them, and cleans what goes to <see cref="Console"/> from now on.</summary>
    public static void Open()
    {
        Out = new LastingWriter(Console.Out, isTerminal: !Console.IsOutputRedirected);
        Error = new LastingWriter(Console.Error, isTerminal: !Console.IsErrorRedirected);
        Console.SetOut(new CleanWriter(Out));
        Console.SetError(new CleanWriter(Error));
    }

    private sealed class AnsiOutput(TextWriter writer) : IAnsiConsoleOutput
    {
        private readonly AnsiConsoleOutput _output = new(writer);

        public TextWriter Writer => writer;

        public bool IsTerminal => !Console.IsOutputRedirected;

        public int Width => _output.Width;

        public int Height => _output.Height;

        public void SetEncoding(Encoding encoding) => _output.SetEncoding(encoding);
    }
}
