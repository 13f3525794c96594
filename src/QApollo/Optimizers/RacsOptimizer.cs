using QApollo.Devices;
using QApollo.Memory;
using QApollo.Models;

namespace QApollo.Optimizers;

/// <summary>
/// RACS (arXiv 2502.07752, algorithm 1): the squared gradient is approached by the product of two positive vectors, one for the rows, one for
/// the columns; exponential means of them, the only state, divide the gradient by their roots, and a limiter bounds the growth of the result.
/// The means begin with the first gradient's vectors instead of zero: nothing has to be corrected for a bias.
/// </summary>
public sealed class RacsOptimizer : ParameterOptimizer
{
    /// <summary>Alternations that find the two vectors.</summary>
    private const int Rounds = 5;

    /// <summary>The published share of the learning rate for matrices.</summary>
    private const float DefaultScale = 0.05f;

    /// <summary>Of an entry of the vectors: what divides by less is not computed.</summary>
    private const float Floor = 1e-30f;

    private readonly PlannedTensor _rowMeans;
    private readonly PlannedTensor _columnMeans;
    private readonly PlannedTensor _limiterNorm;
    private readonly PlannedTensor _rows;
    private readonly PlannedTensor _columns;
    private readonly PlannedTensor _rowScratch;
    private readonly PlannedTensor _columnScratch;
    private readonly PlannedTensor _scalar;

    internal RacsOptimizer(TensorTable table, Weight weight, OptimizerOptions options, OptimizerScratch scratch)
        : base(weight, options)
    {
        Parameter parameter = weight.Parameter;
        PlannedTensor State(string suffix, int count) => table.Persistent(parameter.Name + suffix, DType.F32, 1, count, TensorCategory.Optimizer);
        _rowMeans = State(".row_scale", parameter.Rows);
        _columnMeans = State(".column_scale", parameter.Columns);
        _limiterNorm = State(".limiter_norm", 1);
        (_rows, _rowScratch) = (scratch.Channels("row_factors", parameter.Rows), scratch.Channels("row_squares", parameter.Rows));
        (_columns, _columnScratch) = (scratch.Channels("column_factors", parameter.Columns), scratch.Channels("column_squares", parameter.Columns));
        _scalar = scratch.Coefficient;
    }

    public override IReadOnlyList<PlannedTensor> State => [_rowMeans, _columnMeans, _limiterNorm];

    public override int SliceRows => 0;

    public override void Update(IDevice device, in UpdateContext context, Tensor gradient, int firstRow)
    {
        device.AccumulateSumOfSquares(gradient, context.GradientSquares);
        FindVectors(device, gradient);
        float decay = context.Step == 1 ? 0 : (float)Options.Beta1;
        device.ChannelFactors(_rows, default, new FactorScalars(1, FactorPower.One, Floor, decay), _rowMeans);
        device.ChannelFactors(_columns, default, new FactorScalars(1, FactorPower.One, Floor, decay), _columnMeans);

        device.ChannelFactors(_rowMeans, default, new FactorScalars(1, FactorPower.ReciprocalRoot, Floor), _rowScratch);
        device.ScaleRows(gradient, _rowScratch);
        device.WeightedSquares(gradient, ChannelAxis.Columns, weights: default, _columnScratch);
        device.LimitGrowth(_columnScratch, _columnMeans, storeOnly: context.Step == 1, _limiterNorm, _scalar, context.Limited);
        float scale = context.LearningRate * (Options.Scale ?? DefaultScale);
        device.ChannelFactors(_columnMeans, _scalar, new FactorScalars(scale, FactorPower.ReciprocalRoot, Floor), _columns);
        Apply(device, context, gradient, firstRow, _columns, ChannelAxis.Columns);
    }

    /// <summary>Column vector s = (G²)ᵀ q / |q|², row vector q = G² s / |s|², from q = 1.</summary>
    private void FindVectors(IDevice device, Tensor gradient)
    {
        device.Fill(_rows, 1f);
        for (int round = 0; round < Rounds; round++)
        {
            device.WeightedSquares(gradient, ChannelAxis.Columns, _rows, _columnScratch);
            Divide(device, _columnScratch, _rows, _columns);
            device.WeightedSquares(gradient, ChannelAxis.Rows, _columns, _rowScratch);
            Divide(device, _rowScratch, _columns, _rows);
        }
    }

    private void Divide(IDevice device, Tensor sums, Tensor by, Tensor result)
    {
        device.Zero(_scalar);
        device.AccumulateSumOfSquares(by, _scalar);
        device.ChannelFactors(sums, _scalar, new FactorScalars(1, FactorPower.One, Floor), result);
    }
}
