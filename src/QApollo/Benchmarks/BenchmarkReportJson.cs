using System.Text.Json;

namespace QApollo.Benchmarks;

/// <summary>A <see cref="BenchmarkReport"/> for programs: seconds, FLOP/s and bytes per second.</summary>
public static class BenchmarkReportJson
{
    /// <param name="filter">As for <see cref="BenchmarkText.Filter"/>.</param>
    public static byte[] ToUtf8(BenchmarkReport report, string filter)
    {
        using var stream = new MemoryStream();
        using (var json = new Utf8JsonWriter(stream, new JsonWriterOptions { Indented = true }))
        {
            json.WriteStartObject();
            json.WriteString("model", report.Model);
            json.WriteString("device", report.Device);
            json.WriteNumber("batchSize", report.Shape.BatchSize);
            json.WriteNumber("seqLen", report.Shape.SequenceLength);
            json.WriteNumber("gradAccum", report.Shape.GradAccum);
            json.WriteNumber("steps", report.Steps);
            json.WriteBoolean("processorTime", report.IsProcessorTime);
            json.WriteNumber("matrixPeakFlops", report.MatrixPeak);
            json.WriteNumber("medianMatrixPeakFlops", report.MedianMatrixPeak);
            json.WriteString("matrixPeakSource", report.PeakSource);
            json.WriteNumber("copyBytesPerSecond", report.CopyBandwidth);
            json.WriteNumber("timingSeconds", report.TimingSeconds);
            json.WriteNumber("operationSecondsPerStep", report.OperationSeconds);
            if (report.TransferWaitSeconds is { } wait)
            {
                json.WriteNumber("transferWaitSeconds", wait);
            }

            json.WriteNumber("tokensPerSecond", report.TokensPerSecond);
            if (report.Speeds.Count > 1)
            {
                WriteScaling(json, report.Speeds);
            }

            json.WriteStartArray("operations");
            foreach (BenchmarkRow row in BenchmarkText.Filter(report, filter))
            {
                WriteRow(json, report, row);
            }

            json.WriteEndArray();
            json.WriteEndObject();
        }

        stream.WriteByte((byte)'\n');
        return stream.ToArray();
    }

    private static void WriteScaling(Utf8JsonWriter json, IReadOnlyList<ThreadSpeed> speeds)
    {
        json.WriteStartArray("threads");
        foreach (ThreadSpeed speed in speeds)
        {
            json.WriteStartObject();
            json.WriteNumber("threads", speed.Threads);
            json.WriteNumber("tokensPerSecond", speed.TokensPerSecond);
            json.WriteEndObject();
        }

        json.WriteEndArray();
    }

    private static void WriteRow(Utf8JsonWriter json, BenchmarkReport report, BenchmarkRow row)
    {
        json.WriteStartObject();
        json.WriteString("operation", row.Work.Operation);
        json.WriteString("shape", row.Work.Detail);
        json.WriteString("kind", JsonNamingPolicy.CamelCase.ConvertName(row.Work.Kind.ToString()));
        json.WriteNumber("countPerStep", row.CountPerStep);
        json.WriteNumber("medianSeconds", row.MedianSeconds);
        if (report.PredictedSeconds(row) is { } predicted)
        {
            json.WriteNumber("predictedSeconds", predicted);
        }

        json.WriteNumber("secondsPerStep", row.SecondsPerStep);
        json.WriteNumber("share", row.Share);
        if (BenchmarkText.HasRate(report, row))
        {
            json.WriteNumber(row.IsArithmetic ? "flopsPerSecond" : "bytesPerSecond", row.Rate);
            json.WriteNumber("shareOfLimit", report.ShareOfLimit(row));
        }

        if (BenchmarkText.Note(report, row) is { Length: > 0 } note)
        {
            json.WriteString("note", note);
        }

        json.WriteEndObject();
    }
}
