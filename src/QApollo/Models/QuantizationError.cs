namespace QApollo.Models;

/// <summary>How far quantized weights are from what they were.</summary>
/// <param name="SquaredError">Sum of (stored - read)².</param>
/// <param name="Squares">Sum of read²; 0 when nothing was compared.</param>
public readonly record struct QuantizationError(double SquaredError, double Squares)
{
    /// <summary>Root mean square of the error, as a share of that of the weights.</summary>
    public double Relative => Squares > 0 ? Math.Sqrt(SquaredError / Squares) : 0;

    public static QuantizationError Of(ReadOnlySpan<float> read, ReadOnlySpan<float> stored)
    {
        double error = 0;
        double squares = 0;
        for (int i = 0; i < read.Length; i++)
        {
            double difference = (double)stored[i] - read[i];
            error += difference * difference;
            squares += (double)read[i] * read[i];
        }

        return new QuantizationError(error, squares);
    }

    public static QuantizationError operator +(QuantizationError a, QuantizationError b) => new(a.SquaredError + b.SquaredError, a.Squares + b.Squares);
}
