using QApollo.Devices;

namespace QApollo.Cuda.Blas;

/// <summary>
/// One product by cuBLASLt: its shapes and the algorithm, chosen once (the first that the library proposes). cuBLASLt
/// counts column-major, where a row-major matrix [rows, columns] is its transpose [columns, rows]:
///   y = x Wᵀ:  yᵀ [O, N] = (W as stored [C, O])ᵀ (x as stored [C, N])
///   dx = dy W: dxᵀ [C, N] = (W as stored [C, O]) (dy as stored [O, N])
///   dW = dyᵀ x: dWᵀ [C, O] = (x as stored [C, N]) (dy as stored [O, N])ᵀ
/// Operands are BF16, sums binary32, the result BF16 or F32.
/// </summary>
internal sealed unsafe class LtProduct : IDisposable
{
    private const int Float = 0;
    private const int BFloat = 14;
    private const int Compute32F = 68;
    private const int TransposeA = 3;
    private const int TransposeB = 4;
    private const int MaxWorkspaceBytes = 1;
    private const int ReductionSchemes = 3;
    private const int MinAlignmentA = 5;
    private const int OperandAlignment = 16;

    /// <summary>Partial sums only beside the result, in a fixed order: CUBLASLT_REDUCTION_SCHEME_COMPUTE_TYPE.</summary>
    private const uint OrderedReduction = 2;

    private readonly CublasLt _library;
    private readonly nint _operation;
    private readonly nint _layoutA;
    private readonly nint _layoutB;
    private readonly nint _layoutD;
    private MatmulAlgorithm _algorithm;

    private LtProduct(CublasLt library, in ProductShape product)
    {
        (_library, CublasLtTable table) = (library, library.Table);
        (int n, int o, int c) = (product.Tokens, product.OutFeatures, product.InFeatures);
        (int transposeA, int transposeB) = product.Kind switch { ProductKind.Forward => (1, 0), ProductKind.InputGradient => (0, 0), _ => (0, 1) };
        nint created;
        CublasLt.Check(table.MatmulDescCreate(&created, Compute32F, Float), "cublasLtMatmulDescCreate");
        _operation = created;
        CublasLt.Check(table.MatmulDescSetAttribute(_operation, TransposeA, &transposeA, sizeof(int)), "cublasLtMatmulDescSetAttribute");
        CublasLt.Check(table.MatmulDescSetAttribute(_operation, TransposeB, &transposeB, sizeof(int)), "cublasLtMatmulDescSetAttribute");

        nint Layout(int type, int rows, int columns)
        {
            nint layout;
            CublasLt.Check(table.LayoutCreate(&layout, type, (ulong)rows, (ulong)columns, rows), "cublasLtMatrixLayoutCreate");
            return layout;
        }

        int output = product.Output == DType.F32 ? Float : BFloat;
        _layoutA = product.Kind == ProductKind.WeightGradient ? Layout(BFloat, c, n) : Layout(BFloat, c, o);
        _layoutB = product.Kind == ProductKind.Forward ? Layout(BFloat, c, n) : Layout(BFloat, o, n);
        _layoutD = product.Kind switch
        {
            ProductKind.Forward => Layout(output, o, n),
            ProductKind.InputGradient => Layout(output, c, n),
            _ => Layout(output, c, o),
        };
    }

    /// <summary>It ran before: what the library loads at first use is there.</summary>
    public bool HasRun { get; private set; }

    /// <summary>Null when the library has no algorithm for it within the workspace.</summary>
    public static LtProduct? Create(CublasLt library, in ProductShape product)
    {
        var created = new LtProduct(library, product);
        if (created.TryChooseAlgorithm())
        {
            return created;
        }

        created.Dispose();
        return null;
    }

    /// <summary>result = product (+ addend).</summary>
    /// <param name="addend">May be the result; 0 for none.</param>
    public void Run(nint a, nint b, nint addend, nint result, nint workspace, nint stream)
    {
        float one = 1, beta = addend == 0 ? 0 : 1;
        nint added = addend == 0 ? result : addend;
        fixed (MatmulAlgorithm* algorithm = &_algorithm)
        {
            int status = _library.Table.Matmul(
                _library.Handle, _operation, &one, a, _layoutA, b, _layoutB, &beta, added, _layoutD, result, _layoutD, algorithm, workspace,
                CudaProfile.ProductWorkspaceBytes, stream);
            CublasLt.Check(status, "cublasLtMatmul");
        }

        HasRun = true;
    }

    public void Dispose()
    {
        _library.Table.LayoutDestroy(_layoutA);
        _library.Table.LayoutDestroy(_layoutB);
        _library.Table.LayoutDestroy(_layoutD);
        _library.Table.MatmulDescDestroy(_operation);
    }

    private bool TryChooseAlgorithm()
    {
        CublasLtTable table = _library.Table;
        nint preference;
        CublasLt.Check(table.PreferenceCreate(&preference), "cublasLtMatmulPreferenceCreate");
        ulong workspace = CudaProfile.ProductWorkspaceBytes;
        uint reduction = OrderedReduction;
        uint alignment = OperandAlignment;
        int status = table.PreferenceSetAttribute(preference, MaxWorkspaceBytes, &workspace, sizeof(ulong));
        status = status != 0 ? status : table.PreferenceSetAttribute(preference, ReductionSchemes, &reduction, sizeof(uint));
        for (int operand = 0; operand < 4 && status == 0; operand++)
        {
            status = table.PreferenceSetAttribute(preference, MinAlignmentA + operand, &alignment, sizeof(uint));
        }

        HeuristicResult result = default;
        int found = 0;
        if (status == 0)
        {
            status = table.GetHeuristic(_library.Handle, _operation, _layoutA, _layoutB, _layoutD, _layoutD, preference, 1, &result, &found);
        }

        table.PreferenceDestroy(preference);
        _algorithm = result.Algorithm;
        return status == 0 && found > 0 && result.State == 0;
    }
}
