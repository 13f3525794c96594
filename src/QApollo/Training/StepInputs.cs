using System.Runtime.InteropServices;
using QApollo.Collectives;
using QApollo.Devices;
using QApollo.Memory;
using QApollo.Models;

namespace QApollo.Training;

/// <summary>
/// Tokens and labels of a step on the device, with the tokens of each micro-batch sorted for the embedding gradient.
/// </summary>
public sealed class StepInputs
{
    private readonly StepShape _shape;
    private readonly PlannedTensor _tokens;
    private readonly PlannedTensor _labels;
    private readonly PlannedTensor _distinct;
    private readonly PlannedTensor _starts;
    private readonly PlannedTensor _positions;
    private readonly ulong[] _sortKeys;
    private readonly int[] _hostDistinct;
    private readonly int[] _hostStarts;
    private readonly int[] _hostPositions;
    private readonly int[] _distinctCounts;
    private readonly DocumentStarts _documentStarts;

    /// <param name="documentEnd">See <see cref="TrainingOptions.DocumentEnd"/>.</param>
    public StepInputs(TensorTable table, StepShape shape, int? documentEnd = null)
    {
        _shape = shape;
        int tokens = shape.TokensPerMicroBatch;
        PlannedTensor Declare(string name, int columns) =>
            table.Persistent("input." + name, DType.I32, shape.GradAccum, columns, TensorCategory.Staging);
        _tokens = Declare("tokens", tokens);
        _labels = Declare("labels", tokens);
        _distinct = Declare("distinct_tokens", tokens);
        _starts = Declare("token_starts", tokens + 1);
        _positions = Declare("token_positions", tokens);
        _documentStarts = new DocumentStarts(table, "input.document_starts", shape.GradAccum, shape.BatchSize, shape.SequenceLength, documentEnd);
        _sortKeys = new ulong[tokens];
        _hostDistinct = new int[_distinct.View.Elements];
        _hostStarts = new int[_starts.View.Elements];
        _hostPositions = new int[_positions.View.Elements];
        _distinctCounts = new int[shape.GradAccum];
    }

    /// <summary>Labels of the step that are not ignored; those of all ranks after <see cref="CountOver"/>.</summary>
    public int CountedLabels { get; private set; }

    /// <summary>Brings a step's inputs to the device.</summary>
    /// <param name="tokens">[GradAccum * BatchSize * SequenceLength], micro-batch by micro-batch.</param>
    /// <param name="labels">The target of each position; negative labels are ignored.</param>
    public void Load(IDevice device, ReadOnlySpan<int> tokens, ReadOnlySpan<int> labels)
    {
        CountedLabels = Count(labels);
        int perBatch = _shape.TokensPerMicroBatch;
        for (int microBatch = 0; microBatch < _shape.GradAccum; microBatch++)
        {
            Sort(microBatch, tokens.Slice(microBatch * perBatch, perBatch));
        }

        device.Upload(MemoryMarshal.AsBytes(tokens), _tokens);
        device.Upload(MemoryMarshal.AsBytes(labels), _labels);
        device.Upload(MemoryMarshal.AsBytes<int>(_hostDistinct), _distinct);
        device.Upload(MemoryMarshal.AsBytes<int>(_hostStarts), _starts);
        device.Upload(MemoryMarshal.AsBytes<int>(_hostPositions), _positions);
        _documentStarts.Load(device, tokens);
    }

    /// <summary>Counts the labels of all ranks: the loss is the mean over them.</summary>
    public void CountOver(ICommunicator ranks)
    {
        Span<double> counted = [CountedLabels];
        ranks.SumInOrder(counted);
        CountedLabels = (int)counted[0];
    }

    /// <summary>Brings one micro-batch to the device, as the step's first; for passes without a gradient.</summary>
    public void LoadForEvaluation(IDevice device, ReadOnlySpan<int> tokens, ReadOnlySpan<int> labels)
    {
        CountedLabels = Count(labels);
        device.Upload(MemoryMarshal.AsBytes(tokens), Tokens(0));
        device.Upload(MemoryMarshal.AsBytes(labels), Labels(0));
        _documentStarts.Load(device, tokens);
    }

    /// <summary>I32 [1, N].</summary>
    public Tensor Tokens(int microBatch) => _tokens.RowRange(microBatch, 1);

    /// <summary>I32 [1, N].</summary>
    public Tensor Labels(int microBatch) => _labels.RowRange(microBatch, 1);

    /// <summary>I32 [1, N]; absent where attention looks over whole sequences.</summary>
    public Tensor DocumentStarts(int microBatch) => _documentStarts.Of(microBatch);

    /// <summary>The sorted tokens of a micro-batch that lie in a range of vocabulary rows.</summary>
    public TokenIndex Index(int microBatch, int firstRow, int rows)
    {
        ReadOnlySpan<int> distinct = _hostDistinct.AsSpan(microBatch * _shape.TokensPerMicroBatch, _distinctCounts[microBatch]);
        int first = LowerBound(distinct, firstRow);
        int end = LowerBound(distinct, firstRow + rows);
        return new TokenIndex(
            _distinct.RowRange(microBatch, 1), _starts.RowRange(microBatch, 1), _positions.RowRange(microBatch, 1), first, end - first);
    }

    private void Sort(int microBatch, ReadOnlySpan<int> tokens)
    {
        for (int position = 0; position < tokens.Length; position++)
        {
            _sortKeys[position] = ((ulong)(uint)tokens[position] << 32) | (uint)position;
        }

        Array.Sort(_sortKeys);
        Span<int> distinct = _hostDistinct.AsSpan(microBatch * tokens.Length, tokens.Length);
        Span<int> starts = _hostStarts.AsSpan(microBatch * (tokens.Length + 1), tokens.Length + 1);
        Span<int> positions = _hostPositions.AsSpan(microBatch * tokens.Length, tokens.Length);
        int count = 0;
        for (int i = 0; i < tokens.Length; i++)
        {
            int token = (int)(_sortKeys[i] >> 32);
            positions[i] = (int)_sortKeys[i];
            if (count == 0 || distinct[count - 1] != token)
            {
                starts[count] = i;
                distinct[count++] = token;
            }
        }

        starts[count..].Fill(tokens.Length);
        distinct[count..].Clear();
        _distinctCounts[microBatch] = count;
    }

    private static int Count(ReadOnlySpan<int> labels)
    {
        int counted = 0;
        foreach (int label in labels)
        {
            counted += label >= 0 ? 1 : 0;
        }

        return counted;
    }

    private static int LowerBound(ReadOnlySpan<int> ascending, int value)
    {
        int index = ascending.BinarySearch(value);
        return index >= 0 ? index : ~index;
    }
}
