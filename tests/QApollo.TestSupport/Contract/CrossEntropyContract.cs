using QApollo.Devices;
using QApollo.TestSupport.Oracles;
using Xunit;

namespace QApollo.TestSupport.Contract;

/// <summary>Softmax cross-entropy and its gradient, whole rows and column ranges.</summary>
public abstract class CrossEntropyContract : DeviceContract
{
    [Theory]
    [InlineData(1, 1, 1)]
    [InlineData(3, 17, 1)]
    [InlineData(17, 257, 3)]
    [InlineData(5, 32000, 10)]
    [InlineData(2, 50257, 50)]
    [InlineData(40, 1001, 1)]
    [InlineData(9, 4096, 2)]
    [InlineData(10, 5, 1)]
    public void Losses_and_gradient(int n, int vocabulary, double deviation)
    {
        var samples = new Samples(n + vocabulary);
        Operand logits = Memory.Upload(samples.Normals(n * vocabulary, deviation), Device.Profile.LogitDType, n, vocabulary);
        int[] labels = samples.Integers(n, 0, vocabulary);
        labels[n / 2] = n > 1 ? -100 : labels[0];
        Tensor labelTensor = Memory.Upload(labels);
        Tensor logSumExp = Memory.Zeros(DType.F32, 1, n);
        Tensor losses = Memory.Zeros(DType.F32, 1, n);
        Device.CrossEntropyForward(logits.Tensor, labelTensor, logSumExp, losses);
        var (expectedLog, expectedLosses) = CrossEntropyOracle.Forward(logits.Values, labels);
        Compare.AllClose(Memory.Floats(logSumExp), expectedLog, 1e-6, 1e-6, "log-sum-exp");
        Compare.AllClose(Memory.Floats(losses), expectedLosses, 1e-5 * deviation, 1e-6, "losses");

        const float Scale = 0.125f;
        double[] log = Memory.Read(logSumExp);
        int first = vocabulary / 3;
        int columns = vocabulary - first;
        double[] part = [.. Enumerable.Range(0, n).SelectMany(i => logits.Values[(i * vocabulary + first)..((i + 1) * vocabulary)])];
        Tensor range = Memory.Upload(part, Device.Profile.LogitDType, n, columns).Tensor;
        Device.CrossEntropyBackward(range, labelTensor, logSumExp, first, Scale);
        AssertClose(range, CrossEntropyOracle.Backward(part, labels, log, first, Scale), Scale * deviation, "gradient of a column range");
        Device.CrossEntropyBackward(logits.Tensor, labelTensor, logSumExp, 0, Scale);
        AssertClose(logits.Tensor, CrossEntropyOracle.Backward(logits.Values, labels, log, 0, Scale), Scale * deviation, "gradient");
    }

    /// <summary>Of a row of hidden tokens but a few: whole turns of a thread, and whole lanes, see nothing above minus infinity.</summary>
    [Theory]
    [InlineData(4096, 2050)]
    [InlineData(61, 9)]
    public void Logits_may_be_minus_infinity(int vocabulary, int first)
    {
        double[] values = [.. Enumerable.Repeat(double.NegativeInfinity, vocabulary)];
        new Samples(vocabulary).Normals(12, 1).CopyTo(values, first);
        Operand logits = Memory.Upload(values, Device.Profile.LogitDType, 1, vocabulary);
        int[] labels = [first + 3];
        Tensor labelTensor = Memory.Upload(labels);
        Tensor logSumExp = Memory.Zeros(DType.F32, 1, 1);
        Tensor losses = Memory.Zeros(DType.F32, 1, 1);
        Device.CrossEntropyForward(logits.Tensor, labelTensor, logSumExp, losses);
        var (expectedLog, expectedLosses) = CrossEntropyOracle.Forward(logits.Values, labels);
        Compare.AllClose(Memory.Floats(logSumExp), expectedLog, 1e-6, 1e-6, "log-sum-exp");
        Compare.AllClose(Memory.Floats(losses), expectedLosses, 1e-5, 1e-6, "losses");

        double[] log = Memory.Read(logSumExp);
        Device.CrossEntropyBackward(logits.Tensor, labelTensor, logSumExp, 0, 1);
        AssertClose(logits.Tensor, CrossEntropyOracle.Backward(logits.Values, labels, log, 0, 1), 1, "gradient");
    }
}
