using QApollo.Data.Tokenizers.Models;
using QApollo.Data.Tokenizers.Pipeline;

namespace QApollo.Data.Tokenizers.Training;

/// <summary>
/// Learns a byte-level BPE vocabulary (Sennrich et al., arXiv 1508.07909; bytes as in GPT-2): again and again the most
/// frequent pair of neighbouring tokens becomes a token. Equal counts go to the pair with the smaller ids, so the same
/// documents give the same vocabulary whatever the number of threads.
/// </summary>
public sealed class BpeTrainer
{
    private readonly BpeTrainerOptions _options;
    private readonly MergeState _state;
    private readonly List<byte[]> _tokens;
    private readonly TokenTable _ids;
    private readonly List<(int Left, int Right)> _merges = [];

    private BpeTrainer(WordTable words, BpeTrainerOptions options)
    {
        _options = options;
        byte[] bytes = ByteLevelAlphabet.BytesByCharacter();
        _tokens = [.. bytes.Select(value => new[] { value })];
        _ids = new TokenTable(options.VocabularySize);
        int[] idOfByte = new int[256];
        for (int id = 0; id < bytes.Length; id++)
        {
            idOfByte[bytes[id]] = id;
            _ids.Set(_tokens[id], id);
        }

        _state = new MergeState(words, idOfByte);
    }

    /// <summary>Learns a vocabulary.</summary>
    /// <param name="documents">UTF-8, each read once; memory may be used again after the next one is asked for.</param>
    /// <returns>It has fewer tokens than asked for when the documents have no more pairs of the least frequency.</returns>
    /// <exception cref="UsageException">An option is out of its range, or the documents are empty.</exception>
    public static ByteLevelBpe Train(IEnumerable<ReadOnlyMemory<byte>> documents, BpeTrainerOptions options)
    {
        ArgumentNullException.ThrowIfNull(documents);
        ArgumentNullException.ThrowIfNull(options);
        options.Check();
        WordTable words = new WordCounter(options).Count(documents);
        return words.Count > 0
            ? new BpeTrainer(words, options).Train()
            : throw new UsageException("tokenizer training: the documents hold no text");
    }

    private ByteLevelBpe Train()
    {
        var heap = new PairHeap();
        foreach ((ulong pair, long count) in _state.Counts())
        {
            Offer(heap, pair, count);
        }

        var merged = new HashSet<ulong>();
        while (_tokens.Count + 1 < _options.VocabularySize && heap.TryPop(out ulong pair, out long count))
        {
            long current = _state.Count(pair);
            if (count != current)
            {
                // Since it was pushed, merges took occurrences away; where they added some, it was pushed again.
                if (count > current)
                {
                    Offer(heap, pair, current);
                }

                continue;
            }

            (int left, int right) = ((int)(pair >> 32), (int)(uint)pair);
            int token = TokenOf(left, right);
            if (merged.Add(pair))
            {
                _merges.Add((left, right));
            }

            foreach (ulong grown in _state.Merge(pair, token))
            {
                Offer(heap, grown, _state.Count(grown));
            }

            if (_tokens.Count % 256 == 0)
            {
                _options.Progress?.Report(new BpeTrainingProgress(_state.TextBytes, _state.Words, _tokens.Count));
            }
        }

        return new ByteLevelBpe(_options.Pattern, _tokens, _merges);
    }

    private void Offer(PairHeap heap, ulong pair, long count)
    {
        if (count >= _options.MinFrequency)
        {
            heap.Push(pair, count);
        }
    }

    /// <summary>The token of two others: a new one, unless other parts have made the same already.</summary>
    private int TokenOf(int left, int right)
    {
        byte[] bytes = [.. _tokens[left], .. _tokens[right]];
        int known = _ids.Find(bytes);
        if (known >= 0)
        {
            return known;
        }

        _ids.Set(bytes, _tokens.Count);
        _tokens.Add(bytes);
        return _tokens.Count - 1;
    }
}
