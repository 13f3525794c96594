using QApollo.Devices;
using QApollo.Models;
using QApollo.Quantization;

namespace QApollo.Optimizers;

/// <summary>Where APOLLO's random projections come from. They are made anew for every update and never stored.</summary>
public interface IProjectionSource
{
    /// <summary>Writes the projection in force.</summary>
    /// <param name="redraw">0 for the first projection of a run, 1 for the second, ...</param>
    /// <param name="projection">F32 [r, n] when m &gt;= n, else [m, r]; entries N(0, 1/r).</param>
    void Fill(IDevice device, Parameter parameter, int redraw, Tensor projection);
}

/// <summary>Projections from the counter-based generator, keyed by (seed, parameter, redraw).</summary>
public sealed class SeededProjections(ulong seed) : IProjectionSource
{
    public void Fill(IDevice device, Parameter parameter, int redraw, Tensor projection)
    {
        int rank = parameter.Rows >= parameter.Columns ? projection.Rows : projection.Columns;
        var stream = new RandomStream(seed, RandomPurpose.Projection, (uint)parameter.Index, (uint)redraw);
        device.FillNormal(projection, stream, 0, 1f / MathF.Sqrt(rank));
    }
}
