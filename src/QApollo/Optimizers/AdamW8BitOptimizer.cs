using QApollo.Devices;
using QApollo.Memory;
using QApollo.Models;

namespace QApollo.Optimizers;

/// <summary>AdamW with moments in 8 bits, blocks of 256 elements (arXiv 2110.02861).</summary>
public sealed class AdamW8BitOptimizer : ParameterOptimizer
{
    private readonly PlannedTensor _moment1;
    private readonly PlannedTensor _moment2;
    private readonly PlannedTensor _scale1;
    private readonly PlannedTensor _scale2;
    private readonly PlannedTensor _coefficient;

    internal AdamW8BitOptimizer(TensorTable table, Weight weight, OptimizerOptions options, OptimizerScratch scratch)
        : base(weight, options)
    {
        Parameter parameter = weight.Parameter;
        int blocks = EightBitMap.Blocks(parameter.Elements);
        PlannedTensor State(string suffix, DType dtype, int rows, int columns) =>
            table.Persistent(parameter.Name + suffix, dtype, rows, columns, TensorCategory.Optimizer);
        _moment1 = State(".exp_avg", DType.U8, parameter.Rows, parameter.Columns);
        _moment2 = State(".exp_avg_sq", DType.U8, parameter.Rows, parameter.Columns);
        _scale1 = State(".exp_avg_scale", DType.F32, 1, blocks);
        _scale2 = State(".exp_avg_sq_scale", DType.F32, 1, blocks);
        _coefficient = scratch.Coefficient;
    }

    public override IReadOnlyList<PlannedTensor> State => [_moment1, _moment2, _scale1, _scale2];

    /// <summary>A slice must hold whole blocks.</summary>
    public override int SliceRows => EightBitMap.BlockSize;

    public override void Update(IDevice device, in UpdateContext context, Tensor gradient, int firstRow)
    {
        AdamScalars adam = AdamAt(context);
        long firstBlock = (long)firstRow * gradient.Columns / EightBitMap.BlockSize;
        int blocks = EightBitMap.Blocks(gradient.Elements);
        device.AdamDirection8Bit(
            gradient, _moment1.RowRange(firstRow, gradient.Rows), _moment2.RowRange(firstRow, gradient.Rows),
            _scale1.View.ElementRange(firstBlock, blocks), _scale2.View.ElementRange(firstBlock, blocks), adam, context.GradientSquares);
        device.Fill(_coefficient, StepSize(context.LearningRate, adam));
        Apply(device, context, gradient, firstRow, _coefficient, ChannelAxis.None);
    }
}
