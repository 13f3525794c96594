using System.Text;

namespace QApollo.Data.Tokenizers.Text;

/// <summary>Simple case folding: code points that map to the same one match each other under (?i).</summary>
internal static class CaseFolding
{
    private const int LongS = 0x17F;

    private static readonly Lazy<Dictionary<int, int[]>> Variants = new(Build);

    /// <summary>The set with every code point that folds like a member.</summary>
    public static CodePointSet Close(CodePointSet set)
    {
        var added = new List<int>();
        foreach ((int member, int[] variants) in Variants.Value)
        {
            if (set.Contains(member))
            {
                added.AddRange(variants);
            }
        }

        return added.Count == 0 ? set : set | CodePointSet.Of([.. added]);
    }

    /// <summary>Upper before lower joins the final sigma to the others; .NET leaves out the long s, as it leaves ASCII.</summary>
    private static int Fold(int codePoint) => codePoint == LongS
        ? 's'
        : Rune.ToLowerInvariant(Rune.ToUpperInvariant(new Rune(codePoint))).Value;

    private static Dictionary<int, int[]> Build()
    {
        var classes = new Dictionary<int, List<int>>();
        for (int codePoint = 0; codePoint < 0x20000; codePoint++)
        {
            if (!Rune.IsValid(codePoint))
            {
                continue;
            }

            int folded = Fold(codePoint);
            if (folded != codePoint)
            {
                if (!classes.TryGetValue(folded, out List<int>? members))
                {
                    classes[folded] = members = [folded];
                }

                members.Add(codePoint);
            }
        }

        var variants = new Dictionary<int, int[]>();
        foreach (List<int> members in classes.Values)
        {
            int[] all = [.. members];
            foreach (int member in all)
            {
                variants[member] = all;
            }
        }

        return variants;
    }
}
