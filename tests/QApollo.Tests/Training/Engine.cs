using System.Runtime.InteropServices;
using QApollo.Devices;
using QApollo.Models;
using QApollo.Optimizers;
using QApollo.Training;

namespace QApollo.Tests.Training;

/// <summary>Trainers on a device (EngineDevice.cs says which), and whole tensors in and out of them.</summary>
internal static partial class Engine
{
    public static WeightFormats Dense { get; } = new(WeightFormat.F32, WeightFormat.F32);

    /// <summary>A model small enough for any test, with awkward sizes: group tails, grouped queries.</summary>
    public static LlamaConfig TinyModel(bool tied = false, int layers = 2) => new()
    {
        HiddenSize = 48,
        IntermediateSize = 88,
        NumHiddenLayers = layers,
        NumAttentionHeads = 6,
        NumKeyValueHeads = 2,
        HeadDim = 8,
        VocabSize = 67,
        MaxPositionEmbeddings = 64,
        TieWordEmbeddings = tied,
    };

    public static TrainingOptions Options(LlamaConfig model, StepShape shape) => new()
    {
        Model = model,
        Shape = shape,
        Schedule = new LearningRateSchedule(ScheduleKind.Constant, 0.01, 100),
    };

    public static Trainer Trainer(
        TrainingOptions options, IDevice device, IProjectionSource? projections = null, params IReleaseHook[] hooks) =>
        new(options, device, projections, hooks);

    /// <summary>Gives every weight the values of that Hugging Face name.</summary>
    public static void Load(this Trainer trainer, IReadOnlyDictionary<string, float[]> values)
    {
        foreach (Weight weight in trainer.Layout.Weights.All)
        {
            trainer.Load(weight, values[weight.Parameter.Name]);
        }
    }

    public static void Load(this Trainer trainer, Weight weight, float[] values) =>
        trainer.Layout.WeightStaging.Load(trainer.Device, weight, (firstRow, destination) =>
        {
            Span<float> rows = MemoryMarshal.Cast<byte, float>(destination);
            values.AsSpan(firstRow * weight.Parameter.Columns, rows.Length).CopyTo(rows);
        });

    /// <summary>A weight's values, dequantized.</summary>
    public static float[] Read(this Trainer trainer, Weight weight)
    {
        var values = new float[weight.Parameter.Elements];
        trainer.Layout.WeightStaging.Read(trainer.Device, weight, (firstRow, rows) =>
            MemoryMarshal.Cast<byte, float>(rows).CopyTo(values.AsSpan(firstRow * weight.Parameter.Columns)));
        return values;
    }

    /// <summary>A weight's values with its residual bits.</summary>
    public static float[] ReadFine(this Trainer trainer, Weight weight)
    {
        var values = new float[weight.Parameter.Elements];
        trainer.Layout.WeightStaging.ReadFine(trainer.Device, weight, (firstRow, rows) =>
            MemoryMarshal.Cast<byte, float>(rows).CopyTo(values.AsSpan(firstRow * weight.Parameter.Columns)));
        return values;
    }

    public static Dictionary<string, float[]> ReadAll(this Trainer trainer) =>
        trainer.Layout.Weights.All.ToDictionary(weight => weight.Parameter.Name, weight => trainer.Read(weight));

    /// <summary>The bytes of a tensor as they are stored.</summary>
    public static byte[] Bytes(IDevice device, Tensor tensor)
    {
        var bytes = new byte[tensor.Bytes];
        device.Download(tensor, bytes);
        return bytes;
    }

    /// <summary>A tensor's values as binary32.</summary>
    public static float[] Floats(IDevice device, Tensor tensor)
    {
        byte[] bytes = Bytes(device, tensor);
        return tensor.DType == DType.F32
            ? MemoryMarshal.Cast<byte, float>(bytes).ToArray()
            : [.. MemoryMarshal.Cast<byte, ushort>(bytes).ToArray().Select(QApollo.Quantization.BFloat.ToSingle)];
    }

    public static int[] ToInts(long[] values) => [.. values.Select(value => (int)value)];

    /// <summary>Random tokens of a step, and labels of which some are ignored.</summary>
    public static (int[] Tokens, int[] Labels) RandomBatch(TrainingOptions options, int seed)
    {
        var random = new Random(seed);
        int count = options.Shape.TokensPerStep;
        int[] tokens = [.. Enumerable.Range(0, count).Select(_ => random.Next(options.Model.VocabSize))];
        int[] labels = [.. Enumerable.Range(0, count).Select(_ => random.Next(8) == 0 ? -100 : random.Next(options.Model.VocabSize))];
        return (tokens, labels);
    }
}

/// <summary>Copies every gradient as it is released.</summary>
internal sealed class GradientRecorder : IReleaseHook
{
    /// <summary>By Hugging Face name; slices joined.</summary>
    public Dictionary<string, float[]> Gradients { get; } = [];

    /// <summary>Names in the order of release; a sliced gradient once per slice.</summary>
    public List<string> Order { get; } = [];

    public void BeforeUpdate(IDevice device, in ReleasedGradient released)
    {
        Order.Add(released.Parameter.Name);
        if (!Gradients.TryGetValue(released.Parameter.Name, out float[]? whole))
        {
            Gradients[released.Parameter.Name] = whole = new float[released.Parameter.Elements];
        }

        Engine.Floats(device, released.Gradient).CopyTo(whole, (long)released.FirstRow * released.Parameter.Columns);
    }
}
