using QApollo.Devices;
using QApollo.TestSupport;
using QApollo.TestSupport.Contract;
using QApollo.TestSupport.Oracles;
using Xunit;

namespace QApollo.Cpu.Tests.Oracles;

/// <summary>Every backward oracle against central differences of its forward, in binary64.</summary>
public sealed class OracleGradientTests
{
    private const double Step = 1e-5;

    [Fact]
    public void Linear()
    {
        const int N = 5, C = 7, O = 4;
        var samples = new Samples(1);
        double[] x = samples.Normals(N * C), w = samples.Normals(O * C), dy = samples.Normals(N * O);
        AssertGradient(x, dy, () => LinearOracle.Forward(x, w, N, C, O), LinearOracle.InputGradient(dy, w, N, C, O));
        AssertGradient(w, dy, () => LinearOracle.Forward(x, w, N, C, O), LinearOracle.WeightGradient(dy, x, N, C, O));
    }

    [Fact]
    public void RmsNorm()
    {
        const int N = 4, H = 9;
        var samples = new Samples(2);
        double[] x = samples.Normals(N * H, 2), weight = samples.Normals(H), dy = samples.Normals(N * H);
        double[] r = RmsNormOracle.Forward(x, weight, 0.1, N).InverseRms;
        var (dx, dw) = RmsNormOracle.Backward(dy, x, weight, r);
        AssertGradient(x, dy, () => RmsNormOracle.Forward(x, weight, 0.1, N).Output, dx);
        AssertGradient(weight, dy, () => RmsNormOracle.Forward(x, weight, 0.1, N).Output, dw);
    }

    [Fact]
    public void Rotary()
    {
        const int Rows = 6, Half = 3;
        var samples = new Samples(3);
        double[] x = samples.Normals(Rows * 4 * Half), dy = samples.Normals(x.Length);
        var (cosine, sine) = RotaryOracle.Table(5, 2 * Half);
        double[] Rotate(double[] values, bool inverse) => RotaryOracle.Rotate(values, cosine, sine, Rows, Half, 3, 2, inverse);
        AssertGradient(x, dy, () => Rotate(x, false), Rotate(dy, true));
    }

    [Theory]
    [InlineData(1, 5, 2, 2, 4)]
    [InlineData(2, 4, 4, 2, 6)]
    [InlineData(1, 3, 4, 1, 2)]
    public void Attention(int batch, int length, int heads, int keyHeads, int headDim)
    {
        var shape = new AttentionShape(batch, length, length, heads, keyHeads, headDim);
        var samples = new Samples(4);
        double[] q = samples.Normals(shape.QueryRows * shape.QueryColumns), dy = samples.Normals(q.Length);
        double[] k = samples.Normals(shape.KeyRows * shape.KeyColumns), v = samples.Normals(k.Length);
        var (dq, dk, dv) = AttentionOracle.Backward(q, k, v, dy, shape);
        AssertGradient(q, dy, () => AttentionOracle.Forward(q, k, v, shape).Output, dq);
        AssertGradient(k, dy, () => AttentionOracle.Forward(q, k, v, shape).Output, dk);
        AssertGradient(v, dy, () => AttentionOracle.Forward(q, k, v, shape).Output, dv);
    }

    [Fact]
    public void SwiGlu()
    {
        var samples = new Samples(5);
        double[] gate = samples.Normals(50, 3), up = samples.Normals(50), dy = samples.Normals(50);
        var (gateGradient, upGradient) = SwiGluOracle.Backward(gate, up, dy);
        AssertGradient(gate, dy, () => SwiGluOracle.Forward(gate, up), gateGradient);
        AssertGradient(up, dy, () => SwiGluOracle.Forward(gate, up), upGradient);
    }

    [Fact]
    public void CrossEntropy()
    {
        const double Scale = 0.3;
        double[] logits = new Samples(6).Normals(4 * 7, 2);
        int[] labels = [3, -100, 0, 6];
        double[] ones = [Scale, Scale, Scale, Scale];
        double[] gradient = CrossEntropyOracle.Backward(logits, labels, CrossEntropyOracle.Forward(logits, labels).LogSumExp, 0, Scale);
        AssertGradient(logits, ones, () => CrossEntropyOracle.Forward(logits, labels).Losses, gradient);
    }

    [Fact]
    public void Embedding()
    {
        double[] table = new Samples(7).Normals(6 * 3), dy = new Samples(8).Normals(5 * 3);
        int[] tokens = [2, 0, 2, 5, 2];
        double[] gradient = EmbeddingOracle.Backward(dy, tokens, 3, 0, new double[table.Length]);
        AssertGradient(table, dy, () => EmbeddingOracle.Forward(table, tokens, 3), gradient);
    }

    /// <param name="variable">Changed in place by one element at a time; <paramref name="forward"/> reads it.</param>
    private static void AssertGradient(double[] variable, double[] outputGradient, Func<double[]> forward, double[] gradient)
    {
        double[] differences = new double[variable.Length];
        for (int i = 0; i < variable.Length; i++)
        {
            double old = variable[i];
            variable[i] = old + Step;
            double above = Dot(forward(), outputGradient);
            variable[i] = old - Step;
            double below = Dot(forward(), outputGradient);
            variable[i] = old;
            differences[i] = (above - below) / (2 * Step);
        }

        Compare.AllClose(gradient, differences, 1e-7, 1e-7, "gradient against central differences");
    }

    private static double Dot(double[] a, double[] b) => a.Select((x, i) => x * b[i]).Sum();
}
