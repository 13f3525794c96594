using System.Runtime.InteropServices;
using QApollo.Devices;
using QApollo.Memory;

namespace QApollo.Models;

/// <summary>cos and sin of position * theta^(-2i / D), [positions, D/2] each, formed in binary64.</summary>
public sealed class RotaryTable
{
    private readonly LlamaConfig _config;

    public RotaryTable(TensorTable table, LlamaConfig config, int positions)
    {
        _config = config;
        Cosine = table.Persistent("rotary.cosine", DType.F32, positions, config.HeadDim / 2, TensorCategory.Staging);
        Sine = table.Persistent("rotary.sine", DType.F32, positions, config.HeadDim / 2, TensorCategory.Staging);
    }

    public PlannedTensor Cosine { get; }

    public PlannedTensor Sine { get; }

    /// <summary>Computes the table and sends it to the device.</summary>
    public void Upload(IDevice device)
    {
        int half = Cosine.View.Columns;
        var cosine = new float[Cosine.View.Elements];
        var sine = new float[Sine.View.Elements];
        var frequencies = new double[half];
        for (int i = 0; i < half; i++)
        {
            frequencies[i] = Math.Pow(_config.RopeTheta, -2.0 * i / _config.HeadDim);
        }

        for (int i = 0; i < cosine.Length; i++)
        {
            double angle = i / half * frequencies[i % half];
            (sine[i], cosine[i]) = ((float)Math.Sin(angle), (float)Math.Cos(angle));
        }

        device.Upload(MemoryMarshal.AsBytes<float>(cosine), Cosine);
        device.Upload(MemoryMarshal.AsBytes<float>(sine), Sine);
    }
}
