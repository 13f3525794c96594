using System.Text.Json;
using QApollo.Training.Planning;

namespace QApollo.Diagnostics;

/// <summary>A <see cref="DoctorReport"/> for programs; sizes in bytes.</summary>
public static class DoctorReportJson
{
    public static byte[] ToUtf8(DoctorReport report)
    {
        using var stream = new MemoryStream();
        using (var json = new Utf8JsonWriter(stream, new JsonWriterOptions { Indented = true }))
        {
            json.WriteStartObject();
            json.WriteBoolean("healthy", report.IsHealthy);
            json.WriteStartObject("machine");
            WriteFindings(json, report.Machine);
            json.WriteEndObject();
            json.WriteStartObject("gpuSoftware");
            WriteFindings(json, report.GpuSoftware);
            json.WriteEndObject();
            json.WriteStartArray("devices");
            foreach (DeviceDiagnosis device in report.Devices)
            {
                WriteDevice(json, device);
            }

            json.WriteEndArray();
            json.WriteStartArray("notes");
            foreach (string note in report.Notes)
            {
                json.WriteStringValue(note);
            }

            json.WriteEndArray();
            json.WriteEndObject();
        }

        stream.WriteByte((byte)'\n');
        return stream.ToArray();
    }

    private static void WriteDevice(Utf8JsonWriter json, DeviceDiagnosis device)
    {
        json.WriteStartObject();
        json.WriteString("device", device.Device);
        json.WriteString("name", device.Name);
        json.WriteBoolean("usable", device.Problem is null);
        json.WriteString("problem", device.Problem);
        WriteFindings(json, device.Findings);
        if (device.Problem is null)
        {
            json.WriteNumber("budgetBytes", device.BudgetBytes);
            json.WriteStartArray("fits");
            foreach (PresetFit fit in device.Fits)
            {
                json.WriteStartObject();
                json.WriteString("model", fit.Preset.Name);
                json.WriteNumber("seqLen", device.FitLength);
                json.WriteNumber("deviceBytes", fit.Footprint.DeviceBytes);
                json.WriteNumber("hostBytes", fit.Footprint.HostBytes);
                json.WriteEndObject();
            }

            json.WriteEndArray();
            WriteSelfTest(json, device);
        }

        json.WriteEndObject();
    }

    private static void WriteSelfTest(Utf8JsonWriter json, DeviceDiagnosis device)
    {
        json.WriteStartObject("selfTest");
        json.WriteBoolean("passed", device.IsWorking);
        json.WriteStartArray("checks");
        foreach (SelfTestCheck check in device.Checks)
        {
            json.WriteStartObject();
            json.WriteString("name", check.Name);
            json.WriteBoolean("passed", check.Passed);
            if (double.IsFinite(check.Difference))
            {
                json.WriteNumber("difference", check.Difference);
            }

            json.WriteNumber("tolerance", check.Tolerance);
            if (check.Failure is not null)
            {
                json.WriteString("failure", check.Failure);
            }

            json.WriteEndObject();
        }

        json.WriteEndArray();
        json.WriteEndObject();
    }

    private static void WriteFindings(Utf8JsonWriter json, IReadOnlyList<Finding> findings)
    {
        foreach (Finding finding in findings)
        {
            if (finding.Number is { } number)
            {
                json.WriteNumber(finding.Key, number);
            }
            else
            {
                json.WriteString(finding.Key, finding.Text);
            }
        }
    }
}
