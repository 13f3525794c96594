using QApollo.Devices;
using QApollo.TestSupport.Oracles;
using Xunit;

namespace QApollo.TestSupport.Contract;

/// <summary>SwiGLU and its reverse, all promised overlaps.</summary>
public abstract class SwiGluContract : DeviceContract
{
    public static TheoryData<int, int> Shapes => new() { { 1, 1 }, { 3, 17 }, { 5, 5461 }, { 64, 344 }, { 7, 1024 } };

    [Theory]
    [MemberData(nameof(Shapes))]
    public void Forward_gates(int n, int i)
    {
        var (gate, up, _) = Setup(n, i);
        Tensor output = Memory.Activation(n, i);
        double[] expected = SwiGluOracle.Forward(gate.Values, up.Values);
        Device.SwiGluForward(gate.Tensor, up.Tensor, output);
        AssertClose(output, expected, 1e-3, "output");
        Device.SwiGluForward(gate.Tensor, up.Tensor, gate.Tensor);
        AssertClose(gate.Tensor, expected, 1e-3, "output in the place of gate");
        Memory.Write(gate.Tensor, gate.Values);
        Device.SwiGluForward(gate.Tensor, up.Tensor, up.Tensor);
        AssertClose(up.Tensor, expected, 1e-3, "output in the place of up");
    }

    [Theory]
    [MemberData(nameof(Shapes))]
    public void Backward_is_the_gradient(int n, int i)
    {
        var (gate, up, dy) = Setup(n, i);
        Tensor gateGradient = Memory.Activation(n, i);
        Tensor upGradient = Memory.Activation(n, i);
        var (expectedGate, expectedUp) = SwiGluOracle.Backward(gate.Values, up.Values, dy.Values);
        Device.SwiGluBackward(gate.Tensor, up.Tensor, dy.Tensor, gateGradient, upGradient);
        AssertClose(gateGradient, expectedGate, 1, "gate gradient");
        AssertClose(upGradient, expectedUp, 1, "up gradient");
        Device.SwiGluBackward(gate.Tensor, up.Tensor, dy.Tensor, gate.Tensor, up.Tensor);
        AssertClose(gate.Tensor, expectedGate, 1, "gate gradient in place");
        AssertClose(up.Tensor, expectedUp, 1, "up gradient in place");
    }

    /// <summary>Gates far beyond the range of the exponential.</summary>
    [Fact]
    public void Extreme_gates_stay_finite()
    {
        double[] gates = [-1e4, -200, -90, -88, -87, -50, 0, 50, 87, 88, 89, 90, 200, 1e4];
        Operand gate = Memory.Activation(gates, 1, gates.Length);
        Operand up = Memory.Activation([.. Enumerable.Repeat(1.0, gates.Length)], 1, gates.Length);
        Tensor output = Memory.Activation(1, gates.Length);
        Tensor gateGradient = Memory.Activation(1, gates.Length);
        Device.SwiGluForward(gate.Tensor, up.Tensor, output);
        AssertClose(output, SwiGluOracle.Forward(gate.Values, up.Values), 1e-3, "output");
        Device.SwiGluBackward(gate.Tensor, up.Tensor, up.Tensor, gateGradient, output);
        var (expectedGate, expectedUp) = SwiGluOracle.Backward(gate.Values, up.Values, up.Values);
        AssertClose(gateGradient, expectedGate, 1e-3, "gate gradient");
        AssertClose(output, expectedUp, 1e-3, "up gradient");
    }

    private (Operand Gate, Operand Up, Operand OutputGradient) Setup(int n, int i)
    {
        var samples = new Samples(n + i);
        return (
            Memory.Activation(samples.Normals(n * i, 3), n, i), Memory.Activation(samples.Normals(n * i), n, i),
            Memory.Activation(samples.Normals(n * i), n, i));
    }
}
