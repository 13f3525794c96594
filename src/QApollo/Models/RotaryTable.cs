using System.Runtime.InteropServices;
using QApollo.Devices;
using QApollo.Memory;

namespace QApollo.Models;

/// <summary>
/// cos and sin of position * <see cref="RotaryFrequencies"/>, [positions, D/2] each, formed in binary64; both times
/// YaRN's attention factor where there is one.
/// </summary>
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
        double[] frequencies = RotaryFrequencies.Of(_config);
        double factor = _config.RopeScaling?.AttentionFactor ?? 1;
        for (int i = 0; i < cosine.Length; i++)
        {
            double angle = i / half * frequencies[i % half];
            (sine[i], cosine[i]) = ((float)(factor * Math.Sin(angle)), (float)(factor * Math.Cos(angle)));
        }

        device.Upload(MemoryMarshal.AsBytes<float>(cosine), Cosine);
        device.Upload(MemoryMarshal.AsBytes<float>(sine), Sine);
    }
}
