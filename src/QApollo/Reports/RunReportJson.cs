using System.Text;
using System.Text.Json;

namespace QApollo.Reports;

/// <summary>The curves of runs as the script of their page reads them; {"runs":[{"name":..,"train":{"step":[..],..,"loss":{"mean":[..]}},..}]}.</summary>
internal static class RunReportJson
{
    private static readonly string[] ValidationNames = ["loss"];

    public static string Of(IReadOnlyList<(string Name, RunCurves Curves)> runs)
    {
        using var stream = new MemoryStream();
        using (var json = new Utf8JsonWriter(stream))
        {
            json.WriteStartObject();
            json.WriteStartArray("runs");
            foreach ((string name, RunCurves curves) in runs)
            {
                json.WriteStartObject();
                json.WriteString("name", name);
                Write(json, "train", curves.Steps, RunCurves.StepNames);
                Write(json, "validation", curves.Validations, ValidationNames);
                Write(json, "health", curves.Health, RunCurves.HealthNames);
                json.WriteEndObject();
            }

            json.WriteEndArray();
            json.WriteEndObject();
        }

        return Encoding.UTF8.GetString(stream.ToArray());
    }

    private static void Write(Utf8JsonWriter json, string name, DecimatedCurves curves, IReadOnlyList<string> names)
    {
        json.WriteStartObject(name);
        WriteArray(json, "step", curves.Count, i => curves.Positions[i].Step);
        WriteArray(json, "tokens", curves.Count, i => curves.Positions[i].Tokens);
        WriteArray(json, "hours", curves.Count, i => curves.Positions[i].Seconds / 3600);
        bool isMerged = curves.Points > curves.Count;
        for (int curve = 0; curve < names.Count; curve++)
        {
            int index = curve;
            json.WriteStartObject(names[curve]);
            WriteArray(json, "mean", curves.Count, i => curves.At(i, index).Mean);
            if (isMerged)
            {
                WriteArray(json, "min", curves.Count, i => curves.At(i, index).Low);
                WriteArray(json, "max", curves.Count, i => curves.At(i, index).High);
            }

            json.WriteEndObject();
        }

        json.WriteEndObject();
    }

    /// <summary>With the seven digits that a curve needs; JSON has no NaN.</summary>
    private static void WriteArray(Utf8JsonWriter json, string name, int count, Func<int, double> value)
    {
        json.WriteStartArray(name);
        for (int i = 0; i < count; i++)
        {
            double number = value(i);
            if (!double.IsFinite(number))
            {
                json.WriteNullValue();
            }
            else if (number == Math.Floor(number) && Math.Abs(number) < 1e15)
            {
                json.WriteNumberValue((long)number);
            }
            else
            {
                json.WriteNumberValue((float)number);
            }
        }

        json.WriteEndArray();
    }
}
