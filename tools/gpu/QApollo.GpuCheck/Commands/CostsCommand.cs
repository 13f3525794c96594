using System.CommandLine;
using QApollo.Benchmarks;
using QApollo.Cuda;
using QApollo.Devices;
using QApollo.Memory;
using QApollo.Reports;
using QApollo.TestSupport.Contract;
using QApollo.TestSupport.Costs;

namespace QApollo.GpuCheck.Commands;

/// <summary>`qapollo-check costs`: what the operations of a step take on this card, beside what was predicted from counts.</summary>
internal static class CostsCommand
{
    /// <summary>Of which the median is told.</summary>
    private const int Repetitions = 20;

    /// <summary>Weights, logits and activations of the full cases.</summary>
    private const long MemoryBytes = 4L << 30;

    private const long SliceBytes = 192 << 20;

    public static Command Create()
    {
        var device = DeviceOption.Create();
        var slice = new Option<bool>("--slice") { Description = "Small cases, for machines that are no card." };
        var command = new Command("costs", "Time the operations of a LLaMA-7B step, beside the prediction for this card.") { device, slice };
        command.SetAction(parsed =>
        {
            using CudaDevice cuda = DeviceOption.OpenCuda(parsed.GetValue(device)!);
            return Execute(cuda, parsed.GetValue(slice));
        });
        return command;
    }

    private static int Execute(CudaDevice cuda, bool slice)
    {
        Card? card = Cards.TryFindByDeviceName(cuda.Card.Name);
        List<(OperationWork Work, double Seconds)> measured = Time(cuda, slice);
        JsonReply.Write(json =>
        {
            json.WriteString("card", card?.Name);
            json.WriteStartArray("operations");
            foreach ((OperationWork work, double seconds) in measured)
            {
                json.WriteStartObject();
                json.WriteString("operation", work.Operation);
                json.WriteString("form", work.Form);
                json.WriteString("shape", work.Detail);
                json.WriteNumber("seconds", seconds);
                if (card is not null)
                {
                    (double predicted, Bottleneck bottleneck) = StepPrediction.Predict(work, card);
                    json.WriteNumber("predictedSeconds", predicted);
                    json.WriteString("heldUpBy", ReportText.NameOf(bottleneck));
                }

                json.WriteEndObject();
            }

            json.WriteEndArray();
        });
        return 0;
    }

    internal static List<(OperationWork Work, double Seconds)> Time(CudaDevice cuda, bool slice)
    {
        var last = new LastWork();
        using var device = new TracingDevice(cuda.Profile, last, cuda);
        using var memory = new DeviceMemory(device, slice ? SliceBytes : MemoryBytes);
        List<(OperationWork Work, double Seconds)> measured = [];
        foreach (Scenario scenario in CostCases.All(device, memory, slice))
        {
            scenario.Run();
            measured.Add((last.Work, MedianSeconds(cuda, scenario.Run, slice ? 1 : Repetitions)));
        }

        return measured;
    }

    private static double MedianSeconds(CudaDevice device, Action run, int repetitions)
    {
        for (int i = 0; i < repetitions; i++)
        {
            device.Mark();
            run();
        }

        device.Mark();
        device.Synchronize();
        double median = Median.Of([.. Enumerable.Range(0, repetitions).Select(i => device.Seconds(i, i + 1))]);
        device.ClearMarks();
        return median;
    }
}
