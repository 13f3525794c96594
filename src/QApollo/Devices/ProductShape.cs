using System.Globalization;

namespace QApollo.Devices;

/// <summary>Which of a linear map's three products.</summary>
public enum ProductKind
{
    /// <summary>y = x Wᵀ: [N, C] by [O, C].</summary>
    Forward,

    /// <summary>dx = dy W: [N, O] by [O, C].</summary>
    InputGradient,

    /// <summary>dW = dyᵀ x: [N, O] by [N, C].</summary>
    WeightGradient,
}

/// <summary>A matrix product of the step by its shape: what a device chooses its way of computing by.</summary>
/// <param name="Tokens">N.</param>
/// <param name="OutFeatures">O.</param>
/// <param name="InFeatures">C.</param>
/// <param name="Weight">Element type of the stored weight; F32 for a weight gradient.</param>
/// <param name="GroupSize">Of an INT8 weight; else 0.</param>
/// <param name="Output">Element type of the result.</param>
public readonly record struct ProductShape(ProductKind Kind, int Tokens, int OutFeatures, int InFeatures, DType Weight, int GroupSize, DType Output)
{
    private static readonly string[] KindWords = ["forward", "input-gradient", "weight-gradient"];

    public bool IsQuantized => Weight == DType.U8;

    /// <summary>As a run's run.json names it: "forward:2048x11008x4096:u8-128:bf16".</summary>
    public override string ToString() => string.Create(
        CultureInfo.InvariantCulture,
        $"{KindWords[(int)Kind]}:{Tokens}x{OutFeatures}x{InFeatures}:{Weight}-{GroupSize}:{Output}").ToLowerInvariant();

    /// <summary>Reads what <see cref="ToString"/> writes.</summary>
    public static bool TryParse(string text, out ProductShape product)
    {
        product = default;
        string[] parts = text.Split(':');
        if (parts.Length != 4)
        {
            return false;
        }

        int kind = Array.IndexOf(KindWords, parts[0]);
        string[] sizes = parts[1].Split('x');
        string[] weight = parts[2].Split('-');
        if (kind < 0 || sizes.Length != 3 || weight.Length != 2
            || !Enum.TryParse(weight[0], ignoreCase: true, out DType stored) || !Enum.TryParse(parts[3], ignoreCase: true, out DType output))
        {
            return false;
        }

        var numbers = new int[4];
        string[] texts = [.. sizes, weight[1]];
        for (int i = 0; i < numbers.Length; i++)
        {
            if (!int.TryParse(texts[i], NumberStyles.None, CultureInfo.InvariantCulture, out numbers[i]))
            {
                return false;
            }
        }

        product = new ProductShape((ProductKind)kind, numbers[0], numbers[1], numbers[2], stored, numbers[3], output);
        return true;
    }
}
