using System.Globalization;

namespace QApollo.Data.Tokenizers.Text;

/// <summary>
/// Combining classes, decompositions and compositions of Unicode 9, the version of Hugging Face's library, read from the embedded UnicodeNormalization.txt;
/// tools/reference/tokenizers/make_unicode_normalization.py writes that file and describes its lines.
/// </summary>
internal sealed class UnicodeNormalizationData
{
    private static readonly Lazy<UnicodeNormalizationData> Loaded = new(() => new UnicodeNormalizationData());

    private readonly Dictionary<int, byte> _classes = [];
    private readonly Dictionary<int, int[]> _canonical = [];
    private readonly Dictionary<int, int[]> _compatible = [];
    private readonly Dictionary<(int First, int Second), int> _composed = [];
    private readonly HashSet<int> _seconds = [];

    private UnicodeNormalizationData()
    {
        var oneStep = new Dictionary<int, int[]>();
        var excluded = new HashSet<int>();
        var compatibleOnly = new HashSet<int>();
        foreach (string[] line in Lines())
        {
            int[] values = [.. line.Skip(1).Select(Hexadecimal)];
            switch (line[0])
            {
                case "C":
                    for (int i = values[0]; i <= values[1]; i++)
                    {
                        _classes[i] = (byte)values[2];
                    }

                    break;
                case "K":
                    compatibleOnly.Add(values[0]);
                    goto case "D";
                case "D":
                    oneStep[values[0]] = values[1..];
                    break;
                case "X":
                    excluded.Add(values[0]);
                    break;
            }
        }

        foreach ((int codePoint, int[] parts) in oneStep)
        {
            _compatible[codePoint] = [.. Expand(codePoint, oneStep, _ => true)];
            if (compatibleOnly.Contains(codePoint))
            {
                continue;
            }

            _canonical[codePoint] = [.. Expand(codePoint, oneStep, c => !compatibleOnly.Contains(c))];
            if (parts.Length == 2 && !excluded.Contains(codePoint))
            {
                _composed[(parts[0], parts[1])] = codePoint;
                _seconds.Add(parts[1]);
            }
        }
    }

    public static UnicodeNormalizationData Instance => Loaded.Value;

    public byte CombiningClass(int codePoint) => _classes.GetValueOrDefault(codePoint);

    /// <summary>The full decomposition, null when the code point has none in the table.</summary>
    public int[]? Decompose(int codePoint, bool compatible) => (compatible ? _compatible : _canonical).GetValueOrDefault(codePoint);

    /// <summary>Whether some code point before it can absorb it.</summary>
    public bool MayFollowInComposition(int codePoint) => _seconds.Contains(codePoint) || Hangul.IsVowelOrTrail(codePoint);

    /// <summary>The primary composite of two code points, -1 without one.</summary>
    public int Compose(int first, int second) =>
        _composed.TryGetValue((first, second), out int composed) ? composed : Hangul.Compose(first, second);

    private static IEnumerable<int> Expand(int codePoint, Dictionary<int, int[]> oneStep, Func<int, bool> applies) =>
        oneStep.TryGetValue(codePoint, out int[]? parts) && applies(codePoint)
            ? parts.SelectMany(part => Expand(part, oneStep, applies))
            : [codePoint];

    private static IEnumerable<string[]> Lines()
    {
        using Stream stream = typeof(UnicodeNormalizationData).Assembly.GetManifestResourceStream("UnicodeNormalization.txt")
            ?? throw new InvalidOperationException("UnicodeNormalization.txt is not embedded");
        using var reader = new StreamReader(stream);
        while (reader.ReadLine() is string line)
        {
            string[] words = line.Split(' ');
            if (words[0] != "V")
            {
                yield return words;
            }
        }
    }

    private static int Hexadecimal(string text) => int.Parse(text, NumberStyles.HexNumber, CultureInfo.InvariantCulture);
}
