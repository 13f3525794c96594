using QApollo.Cuda.Driver;
using QApollo.Devices;

namespace QApollo.Cuda.Blas;

/// <summary>Which products cuBLASLt computes, and by which algorithm.</summary>
internal sealed class ProductTable : IDisposable
{
    private readonly CublasLt? _library;
    private readonly GemmChoice _gemm;
    private readonly Dictionary<ProductShape, LtProduct?> _products = [];

    private ProductTable(CublasLt? library, GemmChoice gemm) => (_library, _gemm) = (library, gemm);

    /// <summary>Null where there is none, or none is wanted.</summary>
    public CublasLt? Library => _library;

    /// <summary>Whether products are chosen by their time; else they are as the options say.</summary>
    public bool IsMeasured { get; private init; }

    /// <summary>Those that cuBLASLt computes.</summary>
    public IEnumerable<ProductShape> ByLibrary => _products.Where(entry => entry.Value is not null).Select(entry => entry.Key);

    /// <exception cref="CudaException">cuBLASLt was asked for and is not there, or does not work.</exception>
    public static ProductTable Open(CudaOptions options)
    {
        bool isNeeded = options.Gemm == GemmChoice.CublasLt || options.ProductsByCublasLt is { Count: > 0 };
        CublasLt? library = null;
        if (options.Gemm != GemmChoice.Own)
        {
            try
            {
                library = CublasLt.Open(options.CublasLtPath);
            }
            catch (CudaException) when (!isNeeded && options.CublasLtPath is null)
            {
                // One that is too new for the driver, say, is as good as none.
            }
        }

        var table = new ProductTable(library, options.Gemm)
        {
            IsMeasured = library is not null && options.Gemm == GemmChoice.Auto && options.ProductsByCublasLt is null,
        };
        foreach (ProductShape product in options.Gemm == GemmChoice.Auto && library is not null ? options.ProductsByCublasLt ?? [] : [])
        {
            table._products[product] = table.Make(product)
                ?? throw new CudaException($"cuBLASLt {library!.Version} cannot compute {product}, as it did before; give the library of the earlier run with --cublaslt");
        }

        return table;
    }

    public bool IsChosen(in ProductShape product) => _products.ContainsKey(product);

    /// <summary>Says who computes a product; null for the own kernels.</summary>
    public void Choose(in ProductShape product, LtProduct? way) => _products[product] = way;

    /// <summary>cuBLASLt's way of computing a product; null when the own kernels do.</summary>
    public LtProduct? Find(in ProductShape product)
    {
        if (_library is null)
        {
            return null;
        }

        if (!_products.TryGetValue(product, out LtProduct? way) && _gemm == GemmChoice.CublasLt)
        {
            _products[product] = way = Make(product);
        }

        return way;
    }

    /// <summary>Null where rows do not start at multiples of 16 bytes, or the library has no algorithm.</summary>
    public LtProduct? Make(in ProductShape product)
    {
        const int RowElements = 8;
        bool isDenseFloat = product.Weight == DType.F32 && product.Kind != ProductKind.WeightGradient;
        bool isAligned = product.OutFeatures % RowElements == 0 && product.InFeatures % RowElements == 0;
        return _library is not null && isAligned && !isDenseFloat ? LtProduct.Create(_library, product) : null;
    }

    /// <summary>Whether a product of an expanded matrix of that shape is computed by cuBLASLt.</summary>
    public bool NeedsExpansion(int outFeatures, int inFeatures)
    {
        if (_library is null || _gemm == GemmChoice.CublasLt)
        {
            return _library is not null;
        }

        foreach ((ProductShape product, LtProduct? way) in _products)
        {
            if (way is not null && product.IsQuantized && product.OutFeatures == outFeatures && product.InFeatures == inFeatures)
            {
                return true;
            }
        }

        return false;
    }

    public void Dispose()
    {
        foreach (LtProduct? product in _products.Values)
        {
            product?.Dispose();
        }

        _products.Clear();
        _library?.Dispose();
    }
}
