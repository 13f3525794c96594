using QApollo.Cuda.Blas;
using QApollo.Devices;

namespace QApollo.Cuda;

// Who computes the matrix products.
public sealed unsafe partial class CudaDevice
{
    private readonly List<ProductTime> _productTimes = [];

    /// <summary>Version and file of cuBLASLt; null when it is not used.</summary>
    public (string Version, string Path)? CublasLt => _products.Library is { } library ? (library.Version, library.Path) : null;

    /// <summary>Those that cuBLASLt computes.</summary>
    public IReadOnlyList<ProductShape> ProductsByCublasLt => [.. _products.ByLibrary];

    /// <summary>What was measured to choose, in the order of the products.</summary>
    public IReadOnlyList<ProductTime> ProductTimes => _productTimes;

    public void ChooseProducts(IReadOnlyList<ProductShape> products, int productsPerExpansion, Tensor memory)
    {
        if (!_products.IsMeasured)
        {
            return;
        }

        _context.MakeCurrent();
        var contest = new ProductContest(this, _context, _stream, _products);
        foreach (ProductShape product in products)
        {
            if (!_products.IsChosen(product) && contest.Run(product, productsPerExpansion, memory) is { } time)
            {
                _productTimes.Add(time);
            }
        }

        _commands.Fill(memory.Address, 0, memory.Bytes);
    }
}
