using QApollo.Devices;

namespace QApollo.Torch.Operations;

/// <summary>
/// Rows of an INT8 matrix as tensors [rows, groups, elements of a group]: all whole groups of the rows at once, then the
/// shorter last one of each row. Views, or slices of the caller's tensors of the same rows.
/// </summary>
/// <param name="FirstGroup">In a row.</param>
/// <param name="Groups">In a row.</param>
/// <param name="Size">Elements of each.</param>
/// <param name="FirstColumn">Of the first group.</param>
internal readonly record struct GroupCut(int FirstGroup, int Groups, int Size, int FirstColumn)
{
    /// <summary>One or two, by the matrix' columns.</summary>
    public static IEnumerable<GroupCut> Of(WeightMatrix weight)
    {
        int whole = weight.InFeatures / weight.GroupSize;
        int rest = weight.InFeatures % weight.GroupSize;
        if (whole > 0)
        {
            yield return new GroupCut(0, whole, weight.GroupSize, 0);
        }

        if (rest > 0)
        {
            yield return new GroupCut(whole, 1, rest, whole * weight.GroupSize);
        }
    }

    /// <summary>Of a tensor [rows, columns]: [rows, groups, size].</summary>
    public TorchTensor Elements(TorchTensor tensor) => Cut(tensor, FirstColumn, Size);

    /// <summary>Of a tensor [rows, columns / 2]: [rows, groups, size / 2].</summary>
    public TorchTensor Pairs(TorchTensor tensor) => Cut(tensor, FirstColumn / 2, Size / 2);

    /// <summary>Of a tensor [rows, groups of a row]: [rows, groups, 1].</summary>
    public TorchTensor PerGroup(TorchTensor tensor) => tensor.narrow(1, FirstGroup, Groups).unsqueeze(2);

    private TorchTensor Cut(TorchTensor tensor, int first, int size)
    {
        TorchTensor columns = tensor.narrow(1, first, (long)Groups * size);
        return columns.as_strided([tensor.shape[0], Groups, size], [tensor.stride(0), size, 1], columns.storage_offset());
    }
}
