using QApollo.Cuda.Driver;
using QApollo.Devices;

namespace QApollo.Cuda.Blas;

/// <summary>Measures products on the device, each on operands of its own in memory that is lent for it.</summary>
internal sealed class ProductContest(CudaDevice device, CudaContext context, nint stream, ProductTable table)
{
    private const int Repeats = 5;
    private const int Alignment = 256;

    /// <summary>Measures one product both ways, and lets the faster one compute it from now on.</summary>
    /// <returns>Null when there is no contest: the library has no way, or the memory is too small.</returns>
    public ProductTime? Run(in ProductShape product, int productsPerExpansion, Tensor memory)
    {
        table.Choose(product, null);
        if (table.Make(product) is not { } way)
        {
            return null;
        }

        if (Operands.TryPlace(product, memory) is not { } operands)
        {
            way.Dispose();
            return null;
        }

        double own = Median(() => operands.Multiply(device));
        table.Choose(product, way);
        double expansion = product.IsQuantized ? Median(() => device.ExpandWeight(operands.Weight, WeightUse.Forward, operands.Weight.ForwardExpansion)) : 0;
        double library = Median(() => operands.Multiply(device)) + (expansion / productsPerExpansion);
        var time = new ProductTime(product, own, library);
        if (!time.IsByLibrary)
        {
            table.Choose(product, null);
            way.Dispose();
        }

        return time;
    }

    /// <summary>After one run that loads what is needed.</summary>
    private double Median(Action work)
    {
        nint begin = context.CreateEvent(timed: true);
        nint end = context.CreateEvent(timed: true);
        var times = new double[Repeats];
        work();
        for (int i = 0; i < Repeats; i++)
        {
            context.Record(begin, stream);
            work();
            context.Record(end, stream);
            context.SynchronizeEvent(end);
            times[i] = context.ElapsedMilliseconds(begin, end);
        }

        context.DestroyEvent(begin);
        context.DestroyEvent(end);
        Array.Sort(times);
        return times[Repeats / 2];
    }

    /// <summary>The matrices of one product: [N, C], [N, O], and the weight or its gradient [O, C].</summary>
    private sealed record Operands(ProductShape Product, Tensor Inner, Tensor Outer, WeightMatrix Weight, Tensor WeightGradient)
    {
        public static Operands? TryPlace(in ProductShape product, Tensor memory)
        {
            nint next = memory.Address;
            Tensor Place(DType dtype, int rows, int columns)
            {
                var tensor = new Tensor(next, dtype, rows, columns);
                next += (nint)((tensor.Bytes + Alignment - 1) / Alignment * Alignment);
                return tensor;
            }

            (int n, int o, int c) = (product.Tokens, product.OutFeatures, product.InFeatures);
            Tensor inner = Place(product.Kind == ProductKind.InputGradient ? product.Output : DType.BF16, n, c);
            Tensor outer = Place(product.Kind == ProductKind.Forward ? product.Output : DType.BF16, n, o);
            WeightMatrix weight = default;
            Tensor gradient = default;
            if (product.Kind == ProductKind.WeightGradient)
            {
                gradient = Place(product.Output, o, c);
            }
            else if (product.IsQuantized)
            {
                int groups = WeightMatrix.GroupsPerRow(c, product.GroupSize);
                weight = new WeightMatrix(Place(DType.U8, o, c), Place(DType.BF16, o, groups), Place(DType.U8, o, groups), product.GroupSize);
                Tensor expansion = Place(DType.BF16, o, c);
                weight = weight with { ForwardExpansion = expansion, InputGradientExpansion = expansion };
            }
            else
            {
                weight = new WeightMatrix(Place(DType.BF16, o, c));
            }

            return next - memory.Address <= memory.Bytes ? new Operands(product, inner, outer, weight, gradient) : null;
        }

        public void Multiply(CudaDevice device)
        {
            switch (Product.Kind)
            {
                case ProductKind.Forward:
                    device.LinearForward(Inner, Weight, Outer);
                    break;
                case ProductKind.InputGradient:
                    device.LinearInputGradient(Outer, Weight, Inner, accumulate: false);
                    break;
                default:
                    device.LinearWeightGradient(Outer, Inner, WeightGradient, accumulate: false);
                    break;
            }
        }
    }
}
