using System.Text.Json;

namespace QApollo.GpuCheck.Commands;

/// <summary>What a command found, as one line of JSON on standard output.</summary>
internal static class JsonReply
{
    public static void Write(Action<Utf8JsonWriter> properties)
    {
        using Stream output = Console.OpenStandardOutput();
        using (var json = new Utf8JsonWriter(output))
        {
            json.WriteStartObject();
            properties(json);
            json.WriteEndObject();
        }

        output.Write("\n"u8);
        output.Flush();
    }
}
