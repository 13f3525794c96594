using System.Globalization;
using System.Runtime.InteropServices;
using System.Text.Json;
using QApollo.Files;

namespace QApollo.Runs;

/// <summary>environment.json of a run: what it was last started on. Nothing depends on it: it is for people.</summary>
public static class RunEnvironment
{
    public const string Name = "environment.json";

    /// <param name="facts">Beside those of this machine, which are known here.</param>
    /// <exception cref="RunFailedException">The file cannot be written.</exception>
    public static void Write(string directory, params IEnumerable<(string Name, string Value)> facts)
    {
        using var stream = new MemoryStream();
        using (var writer = new Utf8JsonWriter(stream, new JsonWriterOptions { Indented = true }))
        {
            writer.WriteStartObject();
            foreach ((string name, string value) in facts.Concat(Machine()))
            {
                writer.WriteString(name, value);
            }

            writer.WriteEndObject();
        }

        PendingFile.WriteAll(Path.Combine(directory, Name), stream.ToArray());
    }

    private static IEnumerable<(string, string)> Machine()
    {
        yield return ("started", DateTime.UtcNow.ToString("yyyy-MM-dd HH:mm:ss'Z'", CultureInfo.InvariantCulture));
        yield return ("system", $"{RuntimeInformation.OSDescription}, {RuntimeInformation.ProcessArchitecture}");
        yield return ("runtime", RuntimeInformation.FrameworkDescription);
        yield return ("processors", Environment.ProcessorCount.ToString(CultureInfo.InvariantCulture));
    }
}
