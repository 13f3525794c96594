using System.Text;
using System.Text.Json;

namespace QApollo.Cli.Views;

/// <summary>JSON on standard output.</summary>
internal static class JsonOutput
{
    public static JsonWriterOptions Options { get; } = new() { Indented = true };

    /// <summary>JSON has no infinity; a number that is none is written as null.</summary>
    public static void WriteReal(Utf8JsonWriter writer, string name, double value)
    {
        if (double.IsFinite(value))
        {
            writer.WriteNumber(name, value);
        }
        else
        {
            writer.WriteNull(name);
        }
    }

    public static void Print(MemoryStream utf8) => Console.Out.WriteLine(Encoding.UTF8.GetString(utf8.ToArray()));
}
