using QApollo.Quantization;

namespace QApollo.Inference;

/// <summary>Chooses the next token from logits. Random numbers come from a counter: token n of a text has its own, whatever was drawn before.</summary>
/// <param name="choices">Tokens to choose from: the first ones of the vocabulary.</param>
public sealed class TokenSampler(GenerationOptions options, int choices)
{
    private readonly RandomStream _stream = new(options.Seed, RandomPurpose.Sampling, 0, options.Draw);
    private readonly ulong[] _order = new ulong[choices];
    private readonly double[] _weights = new double[choices];

    /// <param name="logits">[V]; those that are NaN or -infinity are never chosen.</param>
    /// <param name="index">Number of the token in the text.</param>
    /// <exception cref="RunFailedException">No logit can be chosen: the model computes nothing sensible.</exception>
    public int Choose(ReadOnlySpan<float> logits, int index)
    {
        int count = Collect(logits[..choices]);
        if (options.Temperature > 0 && (options.TopK > 0 || options.TopP < 1))
        {
            Array.Sort(_order, 0, count);
        }

        if (options.Temperature == 0)
        {
            return TokenOf(First(count));
        }

        count = options.TopK > 0 ? Math.Min(count, options.TopK) : count;
        double largest = LogitOf(logits, First(count));
        double total = 0;
        for (int i = 0; i < count; i++)
        {
            _weights[i] = Math.Exp((LogitOf(logits, _order[i]) - largest) / options.Temperature);
            total += _weights[i];
        }

        if (options.TopP < 1)
        {
            (count, total) = Nucleus(count, total);
        }

        return Draw(count, total * Philox.ToUniform(Philox.Word(_stream, (ulong)index)));
    }

    /// <summary>Notes the tokens that can be chosen under keys whose ascending order is that of falling logits, then rising ids.</summary>
    private int Collect(ReadOnlySpan<float> logits)
    {
        int count = 0;
        for (int token = 0; token < logits.Length; token++)
        {
            if (logits[token] > float.NegativeInfinity && logits[token] < float.PositiveInfinity)
            {
                // The bits of a binary32, sign folded in, order as its values do.
                int bits = BitConverter.SingleToInt32Bits(logits[token] + 0f);
                uint ascending = bits < 0 ? ~(uint)bits : (uint)bits | 0x80000000;
                _order[count++] = ((ulong)~ascending << 32) | (uint)token;
            }
        }

        return count > 0 ? count : throw new RunFailedException("no logit of the model is finite: its weights are damaged or it diverged in training");
    }

    /// <summary>The key of the likeliest token.</summary>
    private ulong First(int count)
    {
        ulong first = _order[0];
        for (int i = 1; i < count; i++)
        {
            first = Math.Min(first, _order[i]);
        }

        return first;
    }

    /// <summary>The fewest tokens from the likeliest on that have the probability asked for, and their weight.</summary>
    private (int Count, double Total) Nucleus(int count, double total)
    {
        double kept = 0;
        for (int i = 0; i < count; i++)
        {
            kept += _weights[i];
            if (kept >= options.TopP * total)
            {
                return (i + 1, kept);
            }
        }

        return (count, total);
    }

    private int Draw(int count, double target)
    {
        double sum = 0;
        for (int i = 0; i < count - 1; i++)
        {
            sum += _weights[i];
            if (target < sum)
            {
                return TokenOf(_order[i]);
            }
        }

        return TokenOf(_order[count - 1]);
    }

    private static int TokenOf(ulong key) => (int)(uint)key;

    private static float LogitOf(ReadOnlySpan<float> logits, ulong key) => logits[TokenOf(key)];
}
