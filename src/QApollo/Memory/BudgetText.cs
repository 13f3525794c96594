namespace QApollo.Memory;

/// <summary>Reads budgets as people write them: a size, a card's name, or "auto".</summary>
public static class BudgetText
{
    /// <summary>What values are allowed, for help and errors.</summary>
    public const string Allowed = "a size such as 12GiB or 8GB, a card such as rtx-3060-12gb, or auto for what is free";

    private const long Smallest = 1L << 20;
    private const long Largest = 1L << 50;

    /// <summary>Whether it stands for what is free.</summary>
    public static bool IsAuto(string? text) => string.Equals(text?.Trim(), "auto", StringComparison.OrdinalIgnoreCase);

    /// <param name="option">Whose value it is, for messages.</param>
    /// <param name="free">Bytes that are free now; asked only for "auto".</param>
    /// <exception cref="UsageException">No size with a unit, an absurd one, or an unknown card.</exception>
    public static long Parse(string text, string option, Func<long> free)
    {
        string trimmed = text.Trim();
        if (IsAuto(trimmed))
        {
            return free();
        }

        if (Cards.TryFind(trimmed) is { } card)
        {
            return card.UsableBytes;
        }

        if (ByteSize.TryParse(trimmed, out long bytes))
        {
            return bytes switch
            {
                < Smallest => throw new UsageException($"{option}: '{text}' is too little for any model; sizes are from 1MiB on"),
                >= Largest => throw new UsageException($"{option}: '{text}' is more memory than there is; sizes are below 1PiB"),
                _ => bytes,
            };
        }

        if (trimmed.StartsWith('-'))
        {
            throw new UsageException($"{option}: '{text}' is not a positive size; it takes {Allowed}");
        }

        throw trimmed.Length > 0 && trimmed.All(letter => char.IsAsciiDigit(letter) || letter == '.')
            ? new UsageException($"{option}: '{text}' has no unit; write {trimmed}GiB, {trimmed}GB or {trimmed}MiB")
            : new UsageException($"{option}: '{text}' is no size and no known card; it takes {Allowed}; cards are {string.Join(", ", Cards.All.Select(known => known.Name))}");
    }
}
