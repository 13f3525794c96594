using QApollo.Devices;
using QApollo.Memory;
using QApollo.Models;

namespace QApollo.Training;

/// <summary>Gradient scratch of head, embedding and final norm; the first two in slices of vocabulary rows, if so chosen.</summary>
internal sealed class VocabularyGradients
{
    private readonly PlannedTensor _head;
    private readonly PlannedTensor _embedding;
    private readonly int _rows;

    /// <param name="sliceRows">Rows of a slice; the whole vocabulary for no slices.</param>
    public VocabularyGradients(TensorTable table, ModelWeights weights, DType dtype, int sliceRows)
    {
        Parameter embedding = weights.Embedding.Parameter;
        _rows = embedding.Rows;
        SliceRows = sliceRows;
        IsTied = weights.Head == weights.Embedding;
        _head = table.Transient("gradient.Head", dtype, sliceRows, embedding.Columns, TensorCategory.Gradients);
        _embedding = IsTied ? _head : table.Transient("gradient.Embedding", dtype, sliceRows, embedding.Columns, TensorCategory.Gradients);
        FinalNorm = table.Transient("gradient.FinalNorm", DType.F32, 1, embedding.Columns, TensorCategory.Gradients);
    }

    /// <summary>One table serves as embedding and head: its gradient is complete only at the end of the backward pass.</summary>
    public bool IsTied { get; }

    public int SliceRows { get; }

    public bool HeadIsSliced => SliceRows < _rows;

    /// <summary>[V, H]; absent when the head is sliced.</summary>
    public Tensor WholeHead => HeadIsSliced ? default : _head.View;

    /// <summary>[1, H]</summary>
    public PlannedTensor FinalNorm { get; }

    /// <summary>[rows, H]: the scratch for vocabulary rows from <paramref name="firstRow"/> on.</summary>
    public Tensor HeadSlice(int firstRow) => _head.RowRange(0, Math.Min(SliceRows, _rows - firstRow));

    /// <summary>[rows, H]: the scratch for vocabulary rows from <paramref name="firstRow"/> on.</summary>
    public Tensor EmbeddingSlice(int firstRow) => _embedding.RowRange(0, Math.Min(SliceRows, _rows - firstRow));
}
