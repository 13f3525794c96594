using System.Buffers;
using QApollo.Data.Tokenizers.Models;
using QApollo.Data.Tokenizers.Patterns;
using QApollo.Data.Tokenizers.Text;

namespace QApollo.Data.Tokenizers;

/// <summary>What one thread needs to encode, kept from text to text so that encoding allocates nothing.</summary>
internal sealed class EncodeState
{
    private const int Batch = 4096;

    private readonly int[] _ids = new int[Batch];
    private readonly List<ByteBuffer> _buffers = [];
    private IBufferWriter<int>? _output;
    private int _count;
    private int _last = -1;
    private WordCache? _cache;

    public PatternMatcher.Scratch PatternScratch { get; } = new();

    public BpeScratch Bpe { get; } = new();

    public UnigramScratch Unigram { get; } = new();

    public UnicodeNormalization Normalization { get; } = new();

    public WordCache Cache => _cache ??= new WordCache();

    /// <param name="textBytes">The length of the text; patterns may take time in proportion to it.</param>
    public void Begin(int textBytes, IBufferWriter<int> output)
    {
        (_output, _count, _last) = (output, 0, -1);
        PatternScratch.Begin(textBytes);
    }

    /// <summary>Hands the last ids over and forgets unusually large arrays.</summary>
    public void End()
    {
        Flush();
        _output = null;
        PatternScratch.Trim();
        Bpe.Trim();
        Unigram.Trim();
        foreach (ByteBuffer buffer in _buffers)
        {
            buffer.Clear();
        }
    }

    public void Add(int id)
    {
        if (_count == _ids.Length)
        {
            Flush();
        }

        _ids[_count++] = id;
        _last = id;
    }

    /// <summary>As <see cref="Add"/>, but one <paramref name="unknown"/> stands for several in a row.</summary>
    public void AddFused(int id, int unknown)
    {
        if (id != unknown || _last != unknown)
        {
            Add(id);
        }
    }

    /// <summary>The cleared buffer of a stage; each stage of a pipeline has an index of its own.</summary>
    public ByteBuffer Buffer(int index)
    {
        while (_buffers.Count <= index)
        {
            _buffers.Add(new ByteBuffer());
        }

        _buffers[index].Clear();
        return _buffers[index];
    }

    private void Flush()
    {
        _output!.Write(_ids.AsSpan(0, _count));
        _count = 0;
    }
}
