using QApollo.Collectives;

namespace QApollo.Parallel;

/// <summary>What all ranks must be able to do, and have in common, before they train: where one is not, all end with one message.</summary>
public static class Agreement
{
    /// <summary>Does work on every rank that may fail on some of them.</summary>
    /// <exception cref="UsageException">Bad input on a rank; thrown on all of them.</exception>
    /// <exception cref="RunFailedException">Another failure on a rank; thrown on all of them.</exception>
    /// <exception cref="StoppedTogetherException">A rank was asked to stop; thrown on all of them.</exception>
    public static T Together<T>(this ICommunicator ranks, Func<T> work)
    {
        if (ranks.Size == 1)
        {
            return work();
        }

        T result = default!;
        Exception? own = null;
        try
        {
            result = work();
        }
        catch (Exception exception)
        {
            own = exception;
        }

        string[] outcomes = ranks.GatherTexts(own switch
        {
            null => string.Empty,
            UsageException => "u" + own.Message,
            OperationCanceledException => "s" + own.Message,
            _ => "f" + own.Message,
        });
        return Array.FindIndex(outcomes, outcome => outcome.Length > 0) is var first && first < 0 ? result : throw Failure(outcomes, first, own);
    }

    /// <summary>As <see cref="Together"/>, but rank 0 is done before the others begin: what it leaves on the disk, they find.</summary>
    public static T FirstOnRankZero<T>(this ICommunicator ranks, Func<T> work)
    {
        T first = ranks.Together(() => ranks.Rank == 0 ? work() : default!);
        return ranks.Together(() => ranks.Rank == 0 ? first : work());
    }

    /// <summary>Compares what must be equal.</summary>
    /// <param name="facts">Name and value, for people; the same names on every rank.</param>
    /// <exception cref="UsageException">A rank differs; the message names it, and in what; thrown on all of them.</exception>
    public static void RequireSame(this ICommunicator ranks, IEnumerable<(string Name, string Value)> facts)
    {
        if (ranks.Size == 1)
        {
            return;
        }

        string[][] all = [.. ranks.GatherTexts(string.Join('\0', facts.Select(fact => $"{fact.Name} {fact.Value}"))).Select(text => text.Split('\0'))];
        for (int rank = 1; rank < all.Length; rank++)
        {
            if (!all[rank].SequenceEqual(all[0]))
            {
                (string First, string Second) difference = all[0].Zip(all[rank]).FirstOrDefault(pair => pair.First != pair.Second);
                string what = difference == default ? "another program" : $"{difference.Second}, rank 0 has {difference.First}";
                throw new UsageException($"rank {rank} has {what}: all ranks must be given the same") { OnAllRanks = true };
            }
        }
    }

    private static Exception Failure(string[] outcomes, int first, Exception? own)
    {
        string text = outcomes[first][1..];
        string message = outcomes.All(outcome => outcome == outcomes[first]) ? text : $"rank {first}: {text}";
        return outcomes[first][0] switch
        {
            's' => new StoppedTogetherException(message),
            'u' => new UsageException(message, own!) { OnAllRanks = true },
            _ => new RunFailedException(message, own!) { OnAllRanks = true },
        };
    }
}
