using System.Globalization;
using QApollo.Devices;

namespace QApollo.Reports;

/// <summary>What bounds an operation.</summary>
public enum WorkKind
{
    /// <summary>A matrix product.</summary>
    Product,

    Attention,

    /// <summary>Reads and writes each element about once.</summary>
    Pass,

    /// <summary>A pass of the optimizer.</summary>
    Update,

    /// <summary>Copies between host and device, and waiting for them.</summary>
    Transfer,
}

/// <summary>What one operation has to do, from the buffers that it touches. Operations of equal work are alike.</summary>
/// <param name="Form">Stored forms and head dimension: operations of one form cost the same per FLOP or byte.</param>
/// <param name="Detail">Shape and stored forms.</param>
/// <param name="Flops">Additions and multiplications of products and attention, without what the causal mask removes; else 0.</param>
/// <param name="Bytes">Read and written when every element is touched once; 0 for transfers.</param>
public readonly record struct OperationWork(string Operation, string Form, string Detail, WorkKind Kind, double Flops, double Bytes)
{
    /// <summary>Features; longer rows are hidden states.</summary>
    private const int LongestHead = 256;

    /// <summary>
    /// Whether its time is that of waiting for copies between host and device: what a transfer takes of the operations' own
    /// stream. (The CPU device copies within the call that begins a transfer.)
    /// </summary>
    public static bool IsTransferWait(string operation) => operation is "transfer" or "await transfer";

    /// <param name="accesses">The operation's buffers, as a <see cref="TracingDevice"/> shows them.</param>
    /// <param name="sequenceLength">Tokens of each sequence of the step.</param>
    public static OperationWork Of(string operation, ReadOnlySpan<Access> accesses, int sequenceLength) => operation switch
    {
        "linear forward" => Product(operation, accesses, accesses[0].Tensor.Rows, accesses[1].Tensor.Columns, accesses[1].Tensor.Rows, StoredForm(accesses[1], accesses[4])),
        "linear input gradient" => Product(operation, accesses, accesses[0].Tensor.Rows, accesses[1].Tensor.Columns, accesses[1].Tensor.Rows, StoredForm(accesses[1], accesses[4])),
        "linear weight gradient" => Product(operation, accesses, accesses[0].Tensor.Rows, accesses[1].Tensor.Columns, accesses[0].Tensor.Columns, StoredForm(accesses[2], default)),
        "attention forward" => Attention(operation, accesses, sequenceLength, products: 2),
        "attention backward" => Attention(operation, accesses, sequenceLength, products: 5),
        "upload" or "download" or "transfer" or "await transfer" => new(operation, "", Shape(accesses[0].Tensor), WorkKind.Transfer, 0, 0),
        "embedding forward" => new(
            operation, Word(accesses[0].Tensor), Shape(accesses[4].Tensor), WorkKind.Pass, 0, GatheredBytes(accesses) + accesses[4].Tensor.Bytes),
        "embedding backward" => new(
            operation, Word(accesses[4].Tensor), Shape(accesses[0].Tensor), WorkKind.Pass, 0, accesses[0].Tensor.Bytes + ScatteredBytes(accesses)),
        "expand weight" => new(
            operation, Word(accesses[0].Tensor), $"{Shape(accesses[0].Tensor)} {Word(accesses[0].Tensor)}", WorkKind.Pass, 0, TouchedBytes(accesses)),
        "apollo project" or "apollo scale" or "adam" or "adam 8-bit" or "apply update" or "sum squares" or "scale rows" or "reciprocal" or "divide by squares" or "average"
            or "limit growth" =>
            new(operation, Words(accesses) + ResidualBits(operation, accesses), Elements(accesses), WorkKind.Update, 0, TouchedBytes(accesses)),
        "rmsnorm forward" or "rmsnorm backward" => new(
            operation, Words(accesses) + HeadSize(accesses), Elements(accesses) + (operation == "rmsnorm backward" ? Added(accesses) : ""), WorkKind.Pass, 0, TouchedBytes(accesses)),
        _ => new(operation, Words(accesses), Elements(accesses), WorkKind.Pass, 0, TouchedBytes(accesses)),
    };

    private static OperationWork Product(string operation, ReadOnlySpan<Access> accesses, int tokens, int inFeatures, int outFeatures, string form) => new(
        operation, form, $"N {tokens}, C {inFeatures}, O {outFeatures}, {form}{Added(accesses)}", WorkKind.Product,
        2.0 * tokens * inFeatures * outFeatures, TouchedBytes(accesses));

    /// <param name="products">Of [T, D] by [D, T] matrices, each with half of its elements visible.</param>
    private static OperationWork Attention(string operation, ReadOnlySpan<Access> accesses, int sequenceLength, int products)
    {
        Tensor query = accesses[0].Tensor;
        Tensor key = accesses[1].Tensor;
        int heads = accesses[4].Tensor.Rows;
        int headDim = query.Columns / heads;
        double visible = (double)query.Rows * heads * (sequenceLength + 1) / 2;
        return new(
            operation, $"D {headDim}", $"batch {query.Rows / sequenceLength}, T {sequenceLength}, heads {heads}/{key.Columns / headDim}, D {headDim}", WorkKind.Attention,
            2 * products * visible * headDim, TouchedBytes(accesses));
    }

    /// <summary>How a product's matrix is stored.</summary>
    private static string StoredForm(Access stored, Access expansion) =>
        expansion.Tensor.IsAbsent ? Word(stored.Tensor) : Word(stored.Tensor) + " expanded";

    /// <summary>Said of operations that add to what is there.</summary>
    private static string Added(ReadOnlySpan<Access> accesses)
    {
        foreach (Access access in accesses)
        {
            if (access.Kind == AccessKind.ReadWrite)
            {
                return ", added";
            }
        }

        return accesses.Length == 7 && !accesses[5].Tensor.IsAbsent ? ", added" : "";
    }

    private static double TouchedBytes(ReadOnlySpan<Access> accesses)
    {
        double bytes = 0;
        foreach (Access access in accesses)
        {
            bytes += access.Tensor.Bytes * (access.Kind == AccessKind.ReadWrite ? 2.0 : 1.0);
        }

        return bytes;
    }

    /// <summary>The table's rows that the tokens name.</summary>
    private static double GatheredBytes(ReadOnlySpan<Access> accesses)
    {
        Tensor table = accesses[0].Tensor;
        double rowBytes = (double)(table.Bytes + accesses[1].Tensor.Bytes + accesses[2].Tensor.Bytes) / table.Rows;
        return (rowBytes * accesses[4].Tensor.Rows) + accesses[3].Tensor.Bytes;
    }

    /// <summary>The rows of the table's gradient that tokens can name, read and written: an upper bound, as tokens repeat.</summary>
    private static double ScatteredBytes(ReadOnlySpan<Access> accesses)
    {
        Tensor table = accesses[4].Tensor;
        return 2.0 * Math.Min(table.Rows, accesses[0].Tensor.Rows) * table.Columns * table.DType.Size();
    }

    /// <summary>Shape of the largest buffer, and the element types of all buffers of that shape.</summary>
    private static string Elements(ReadOnlySpan<Access> accesses) => $"{Shape(Largest(accesses))} {Words(accesses)}";

    /// <summary>Element types of all buffers that have the largest one's shape.</summary>
    private static string Words(ReadOnlySpan<Access> accesses)
    {
        Tensor largest = Largest(accesses);
        string text = "";
        foreach (Access access in accesses)
        {
            bool isAlike = access.Tensor.Rows == largest.Rows && access.Tensor.Columns == largest.Columns;
            string word = Word(access.Tensor);
            text += !isAlike || text.Contains(word, StringComparison.Ordinal) ? "" : text.Length == 0 ? word : " " + word;
        }

        return text;
    }

    private static Tensor Largest(ReadOnlySpan<Access> accesses)
    {
        Tensor largest = accesses[0].Tensor;
        foreach (Access access in accesses)
        {
            largest = access.Tensor.Elements > largest.Elements ? access.Tensor : largest;
        }

        return largest;
    }

    /// <summary>Said of norms over heads: rows that short cost otherwise than long ones.</summary>
    private static string HeadSize(ReadOnlySpan<Access> accesses) =>
        accesses[0].Tensor.Columns <= LongestHead ? string.Create(CultureInfo.InvariantCulture, $" D {accesses[0].Tensor.Columns}") : "";

    /// <summary>Said of updates of codes with low bits.</summary>
    private static string ResidualBits(string operation, ReadOnlySpan<Access> accesses) => operation == "apply update" && !accesses[5].Tensor.IsAbsent
        ? accesses[5].Tensor.Columns == accesses[2].Tensor.Columns ? " +8" : " +4"
        : "";

    private static string Shape(Tensor tensor) => $"[{tensor.Rows}, {tensor.Columns}]";

    private static string Word(Tensor tensor) => tensor.DType switch
    {
        DType.U8 => "int8",
        DType.BF16 => "bf16",
        DType.I32 => "i32",
        DType.I64 => "i64",
        _ => "f32",
    };
}
