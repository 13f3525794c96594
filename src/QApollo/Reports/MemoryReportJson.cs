using System.Text.Json;
using QApollo.Memory;
using QApollo.Training.Planning;

namespace QApollo.Reports;

/// <summary>A <see cref="MemoryReport"/> as JSON: what `qapollo plan --json` prints.</summary>
public static class MemoryReportJson
{
    public static byte[] ToUtf8(MemoryReport report)
    {
        using var stream = new MemoryStream();
        using (var json = new Utf8JsonWriter(stream, new JsonWriterOptions { Indented = true }))
        {
            json.WriteStartObject();
            WriteBody(json, report);
            json.WriteEndObject();
        }

        stream.WriteByte((byte)'\n');
        return stream.ToArray();
    }

    /// <summary>The report's properties, into an object that is open.</summary>
    internal static void WriteBody(Utf8JsonWriter json, MemoryReport report)
    {
        json.WriteString("model", report.Model);
        json.WriteNumber("parameters", report.Parameters);
        json.WriteString("deviceName", report.DeviceName);
        WriteBudget(json, report.Budget);
        WriteSpace(json, "device", report.Device);
        WriteSpace(json, "pinnedHost", report.PinnedHost);
        WriteSpace(json, "host", report.Host);
        WriteChoices(json, report);
        WritePeak(json, report.Peak);
        WriteTimeline(json, report.Timeline);
        WriteSpeedBounds(json, report.SpeedBounds);
        WriteLink(json, report.Link);
        if (report.Disk is { } disk)
        {
            json.WriteStartObject("disk");
            json.WriteNumber("totalBytes", disk.FileBytes);
            json.WriteNumber("bytesReadPerUpdate", disk.BytesRead);
            json.WriteNumber("bytesWrittenPerUpdate", disk.BytesWritten);
            json.WriteEndObject();
        }
    }

    private static void WriteBudget(Utf8JsonWriter json, in MemoryBudget budget)
    {
        if (budget.DeviceBytes != MemoryBudget.Unlimited)
        {
            json.WriteNumber("budgetBytes", budget.DeviceBytes);
        }

        if (budget.HostBytes != MemoryBudget.Unlimited)
        {
            json.WriteNumber("hostBudgetBytes", budget.HostBytes);
        }
    }

    private static void WriteSpace(Utf8JsonWriter json, string name, SpaceBytes space)
    {
        json.WriteStartObject(name);
        json.WriteNumber("totalBytes", space.TotalBytes);
        json.WriteStartObject("categories");
        foreach (CategoryBytes category in space.Categories)
        {
            json.WriteNumber(category.Key, category.Bytes);
        }

        json.WriteEndObject();
        json.WriteEndObject();
    }

    private static void WriteChoices(Utf8JsonWriter json, MemoryReport report)
    {
        json.WriteStartObject("choices");
        json.WriteNumber("seqLen", report.Shape.SequenceLength);
        foreach (ChosenOption choice in report.Choices)
        {
            if (int.TryParse(choice.Value, out int number))
            {
                json.WriteNumber(choice.Key, number);
            }
            else
            {
                json.WriteString(choice.Key, choice.Value);
            }
        }

        json.WriteEndObject();
        json.WriteStartArray("givenUp");
        foreach (Concession concession in report.GivenUp.Distinct())
        {
            json.WriteStringValue(concession.Name);
        }

        json.WriteEndArray();
        json.WriteStartArray("alternatives");
        foreach (Alternative alternative in report.Alternatives)
        {
            json.WriteStartObject();
            json.WriteString("change", alternative.Concession.Name);
            json.WriteBoolean("takenBack", alternative.IsTakenBack);
            json.WriteBoolean("pinned", alternative.IsPinned);
            json.WriteNumber("deviceBytes", alternative.DeviceBytes);
            json.WriteNumber("hostBytes", alternative.HostBytes);
            json.WriteEndObject();
        }

        json.WriteEndArray();
    }

    private static void WritePeak(Utf8JsonWriter json, PeakMoment peak)
    {
        json.WriteStartObject("peak");
        json.WriteNumber("operation", peak.Operation);
        json.WriteString("name", peak.Name);
        json.WriteString("phase", peak.Phase);
        json.WriteNumber("residentBytes", peak.Resident);
        json.WriteStartArray("transient");
        foreach (LivingTensor tensor in peak.Transient)
        {
            json.WriteStartObject();
            json.WriteString("name", tensor.Name);
            json.WriteNumber("bytes", tensor.Bytes);
            json.WriteEndObject();
        }

        json.WriteEndArray();
        json.WriteEndObject();
    }

    private static void WriteTimeline(Utf8JsonWriter json, StepTimeline timeline)
    {
        json.WriteStartObject("timeline");
        json.WriteStartArray("parts");
        foreach (TimelinePart part in timeline.Parts)
        {
            json.WriteStartObject();
            json.WriteString("name", part.Name);
            json.WriteNumber("firstPoint", part.FirstPoint);
            json.WriteNumber("endPoint", part.EndPoint);
            json.WriteEndObject();
        }

        json.WriteEndArray();
        json.WriteStartObject("points");
        for (int category = 0; category < TensorCategories.All.Count; category++)
        {
            json.WriteStartArray(TensorCategories.All[category].JsonName());
            foreach (TimelinePoint point in timeline.Points)
            {
                json.WriteNumberValue(point.Bytes[category]);
            }

            json.WriteEndArray();
        }

        json.WriteEndObject();
        json.WriteEndObject();
    }

    private static void WriteLink(Utf8JsonWriter json, IReadOnlyList<LinkUse> uses)
    {
        json.WriteStartArray("link");
        foreach (LinkUse use in uses)
        {
            json.WriteStartObject();
            json.WriteString("card", use.Card.Name);
            json.WriteString("link", use.Card.Link.ToString());
            json.WriteNumber("bytesPerUpdate", use.Bytes);
            json.WriteNumber("linkSeconds", Math.Round(use.LinkSeconds, 4));
            json.WriteNumber("computeSeconds", Math.Round(use.ComputeSeconds, 4));
            json.WriteNumber("waitSeconds", Math.Round(use.WaitSeconds, 4));
            if (use.HidesFromTokens is { } tokens)
            {
                json.WriteNumber("hidesFromTokens", tokens);
            }

            json.WriteEndObject();
        }

        json.WriteEndArray();
    }

    private static void WriteSpeedBounds(Utf8JsonWriter json, IReadOnlyList<SpeedBound> bounds)
    {
        json.WriteStartArray("speedOfLight");
        foreach (SpeedBound bound in bounds)
        {
            json.WriteStartObject();
            json.WriteString("card", bound.Card.Name);
            json.WriteNumber("usableBytes", bound.Card.UsableBytes);
            json.WriteBoolean("fits", bound.Fits);
            json.WriteNumber("tokensPerSecond", Math.Round(bound.TokensPerSecond, 1));
            json.WriteNumber("daysPerBillionTokens", Math.Round(bound.DaysPerBillionTokens, 2));
            json.WriteString("bound", bound.IsBandwidthBound ? "bandwidth" : "compute");
            if (bound.Prediction is { } prediction)
            {
                json.WriteNumber("predictedTokensPerSecond", Math.Round(prediction.TokensPerSecond, 1));
                json.WriteStartObject("predictedShares");
                foreach ((Bottleneck bottleneck, double share) in prediction.Shares)
                {
                    json.WriteNumber(JsonNamingPolicy.CamelCase.ConvertName(bottleneck.ToString()), Math.Round(share, 4));
                }

                json.WriteEndObject();
            }

            json.WriteEndObject();
        }

        json.WriteEndArray();
    }
}
