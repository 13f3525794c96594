namespace QApollo.TestSupport.Oracles;

/// <summary>SwiGLU in binary64, element by element.</summary>
public static class SwiGluOracle
{
    public static double[] Forward(double[] gate, double[] up) => [.. gate.Select((g, i) => g * Sigmoid(g) * up[i])];

    public static (double[] Gate, double[] Up) Backward(double[] gate, double[] up, double[] outputGradient)
    {
        double[] gateGradient = new double[gate.Length];
        double[] upGradient = new double[gate.Length];
        for (int i = 0; i < gate.Length; i++)
        {
            double s = Sigmoid(gate[i]);
            upGradient[i] = outputGradient[i] * gate[i] * s;
            gateGradient[i] = outputGradient[i] * up[i] * s * (1 + gate[i] * (1 - s));
        }

        return (gateGradient, upGradient);
    }

    private static double Sigmoid(double x) => 1 / (1 + Math.Exp(-x));
}
