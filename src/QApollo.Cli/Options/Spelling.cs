namespace QApollo.Cli.Options;

/// <summary>Finds what a misspelt word was meant to be.</summary>
internal static class Spelling
{
    /// <summary>The known word with the fewest differences; null where even that one has differences in more than a third of the word.</summary>
    public static string? Nearest(string word, IEnumerable<string> known)
    {
        string bare = word.TrimStart('-');
        (string Word, int Distance)[] near =
        [
            .. known.Select(candidate => (candidate, Distance: Distance(bare, candidate.TrimStart('-'))))
                .Where(candidate => candidate.Distance <= Math.Max(1, bare.Length / 3))
                .OrderBy(candidate => candidate.Distance),
        ];
        return near.Length > 0 ? near[0].Word : null;
    }

    /// <summary>
    /// Insertions, deletions, changes, and exchanges of neighbours that make one word the other (optimal string alignment), case ignored.
    /// </summary>
    public static int Distance(string from, string to)
    {
        (from, to) = (from.ToUpperInvariant(), to.ToUpperInvariant());
        int[,] distance = new int[from.Length + 1, to.Length + 1];
        for (int i = 0; i <= from.Length; i++)
        {
            for (int j = 0; j <= to.Length; j++)
            {
                if (i == 0 || j == 0)
                {
                    distance[i, j] = i + j;
                    continue;
                }

                int change = from[i - 1] == to[j - 1] ? 0 : 1;
                int best = Math.Min(Math.Min(distance[i - 1, j], distance[i, j - 1]) + 1, distance[i - 1, j - 1] + change);
                bool isExchange = i > 1 && j > 1 && from[i - 1] == to[j - 2] && from[i - 2] == to[j - 1];
                distance[i, j] = isExchange ? Math.Min(best, distance[i - 2, j - 2] + 1) : best;
            }
        }

        return distance[from.Length, to.Length];
    }
}
