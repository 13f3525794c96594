using QApollo.Cpu.Gemm;
using QApollo.Devices;

namespace QApollo.Cpu.Operations;

/// <summary>
/// The three products of a linear layer. The right operand is the expanded weight when there is one; else as many of
/// its columns as fit are packed into the workspace at a time.
/// </summary>
internal static unsafe class Linear
{
    private const long MinSharedBytes = 4 << 20;

    /// <summary>Slices of the depth are at least this deep, so that the results pass through memory seldom.</summary>
    private const int MinSliceDepth = 1024;

    /// <summary>Scratch for products of at most this depth: at least one panel, and a block per thread.</summary>
    public static long WorkspaceBytes(int maxDepth, int threads) =>
        Math.Max(MinSharedBytes, PackedMatrix.Bytes(maxDepth, Microkernel.MaxColumns)) + (long)threads * Product.ThreadWorkspaceBytes;

    public static void Expand(CpuContext context, in WeightMatrix weight, WeightUse use, Tensor expansion)
    {
        if (use == WeightUse.Forward)
        {
            PackedMatrix.PackForward(context, weight, 0, weight.OutFeatures, (float*)expansion.Address);
        }
        else
        {
            PackedMatrix.PackInputGradient(
                context, weight, 0, weight.InFeatures, BlockProduct.PassDepth(weight.OutFeatures), (float*)expansion.Address);
        }
    }

    public static void Forward(CpuContext context, Tensor input, in WeightMatrix weight, Tensor output, Tensor addend)
    {
        if (input.Rows <= FewRowProduct.MaxRows && input.DType == DType.F32)
        {
            FewRowProduct.Run(context, input, weight, output, addend);
            return;
        }

        int depth = weight.InFeatures;
        var left = new LeftMatrix(input, Transposed: false);
        var split = new Split(context, depth, weight.OutFeatures, weight.ForwardExpansion);
        for (int column = 0; column < weight.OutFeatures; column += split.Columns)
        {
            int columns = Math.Min(split.Columns, weight.OutFeatures - column);
            if (weight.ForwardExpansion.IsAbsent)
            {
                PackedMatrix.PackForward(context, weight, column, columns, split.Panels);
            }

            float* initial = addend.IsAbsent ? null : (float*)addend.Address + column;
            Product.Run(
                context, left, split.Panels, columns,
                initial, (float*)output.Address + column, weight.OutFeatures, DType.F32, accumulate: false, split.ThreadWorkspace);
        }
    }

    public static void InputGradient(
        CpuContext context, Tensor outputGradient, in WeightMatrix weight, Tensor inputGradient, bool accumulate)
    {
        int depth = weight.OutFeatures;
        var left = new LeftMatrix(outputGradient, Transposed: false);
        var split = new Split(context, Math.Min(depth, MinSliceDepth), weight.InFeatures, weight.InputGradientExpansion);
        for (int column = 0; column < weight.InFeatures; column += split.Columns)
        {
            int columns = Math.Min(split.Columns, weight.InFeatures - column);
            float* output = (float*)inputGradient.Address + column;

            // Few columns of a deep weight (the head's depth is the vocabulary) would read the output gradient once for each
            // few: many columns are packed a slice of the depth at a time. Every sum still runs in the order of k.
            int sliceDepth = split.Depth / left.PassDepth * left.PassDepth;
            for (int k = 0; k < depth; k += sliceDepth)
            {
                int steps = Math.Min(sliceDepth, depth - k);
                if (weight.InputGradientExpansion.IsAbsent)
                {
                    PackedMatrix.PackInputGradient(context, weight.RowRange(k, steps), column, columns, left.PassDepth, split.Panels);
                }

                Product.Run(
                    context, left.Slice(k, steps), split.Panels, columns,
                    accumulate || k > 0 ? output : null, output, weight.InFeatures, DType.F32, accumulate: false, split.ThreadWorkspace);
            }
        }
    }

    public static void WeightGradient(CpuContext context, Tensor outputGradient, Tensor input, Tensor weightGradient, bool accumulate)
    {
        int depth = input.Rows;
        var left = new LeftMatrix(outputGradient, Transposed: true);
        var matrix = new WeightMatrix(input);
        var split = new Split(context, depth, input.Columns, expansion: default);
        for (int column = 0; column < input.Columns; column += split.Columns)
        {
            int columns = Math.Min(split.Columns, input.Columns - column);
            PackedMatrix.PackInputGradient(context, matrix, column, columns, left.PassDepth, split.Panels);
            byte* output = (byte*)weightGradient.Address + (long)column * weightGradient.DType.Size();
            Product.Run(
                context, left, split.Panels, columns,
                accumulate && weightGradient.DType == DType.F32 ? (float*)output : null, output, input.Columns,
                weightGradient.DType, accumulate, split.ThreadWorkspace);
        }
    }

    /// <summary>How the workspace is cut: a slice per thread, the rest for packed columns.</summary>
    private readonly struct Split
    {
        /// <param name="depth">What all of the columns in one part must have room for.</param>
        public Split(CpuContext context, int depth, int columns, Tensor expansion)
        {
            ThreadWorkspace = (byte*)context.Workspace.Address;
            long slices = (long)context.Pool.Threads * Product.ThreadWorkspaceBytes;
            if (!expansion.IsAbsent)
            {
                Panels = (float*)expansion.Address;
                Columns = Math.Max(columns, 1);
                Depth = int.MaxValue;
                return;
            }

            Panels = (float*)(ThreadWorkspace + slices);
            int width = context.Kernel.Columns;
            long fitting = (context.Workspace.Bytes - slices) / ((long)depth * width * sizeof(float));
            Columns = (int)Math.Min(PackedMatrix.Round(columns, width), fitting * width);
            if (Columns == 0)
            {
                throw new InvalidOperationException(
                    $"the workspace of {context.Workspace.Bytes} bytes is too small for a product of depth {depth}");
            }

            Depth = (int)(fitting * width / Columns) * depth;
        }

        public float* Panels { get; }

        public int Columns { get; }

        /// <summary>As many steps as fit with so many columns.</summary>
        public int Depth { get; }

        public byte* ThreadWorkspace { get; }
    }
}
