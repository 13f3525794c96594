using QApollo.Devices;

namespace QApollo.Torch.Operations;

/// <summary>Hides later keys, and those of earlier documents, from a slice of queries.</summary>
internal sealed class CausalMask
{
    private readonly TorchContext _context;
    private readonly TorchTensor _later;
    private readonly TorchTensor? _starts;
    private readonly TorchTensor? _places;

    /// <summary>Takes its tensors from the frame that is open.</summary>
    public CausalMask(TorchContext context, in AttentionShape shape, Tensor documentStarts)
    {
        _context = context;
        Queries = TorchProfile.QueriesPerSlice(shape);
        TorchTensor numbers = context.Count(ScalarType.Float32, Math.Max(Queries, shape.KeyLength));
        TorchTensor own = numbers.narrow(0, 0, Queries);
        _later = context.Take(ScalarType.Bool, Queries, Queries);
        using (TorchContext.Frame frame = context.Open())
        {
            _later.copy_(context.Take(ScalarType.Float32, Queries, Queries).copy_(own.unsqueeze(0)).gt_(own.unsqueeze(1)));
        }

        if (!documentStarts.IsAbsent)
        {
            _places = numbers.narrow(0, 0, shape.KeyLength).unsqueeze(0);
            _starts = context.Copy(context.View(documentStarts).view(shape.Batch, shape.QueryLength), ScalarType.Float32);
        }
    }

    /// <summary>Queries in a slice.</summary>
    public int Queries { get; }

    /// <param name="scores">[queries, keys up to the last one that the last of them sees].</param>
    public void Apply(TorchTensor scores, int sequence, int first)
    {
        long count = scores.shape[0], seen = scores.shape[1];
        scores.narrow(1, seen - count, count).FillWhere(_later.narrow(0, 0, count).narrow(1, 0, count), float.NegativeInfinity);
        if (_starts is null || _places is null)
        {
            return;
        }

        using TorchContext.Frame frame = _context.Open();
        TorchTensor starts = _starts.select(0, sequence).narrow(0, first, count).unsqueeze(1);
        TorchTensor earlier = _context.Take(ScalarType.Float32, count, seen).copy_(_places.narrow(1, 0, seen)).lt_(starts);
        scores.FillWhere(_context.Mask(earlier), float.NegativeInfinity);
    }
}
