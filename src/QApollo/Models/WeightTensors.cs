using QApollo.Devices;
using QApollo.Memory;

namespace QApollo.Models;

/// <summary>The tensors that hold a weight: dense values, or codes with scales, zero points and residual bits.</summary>
/// <param name="Scales">Null for dense values.</param>
/// <param name="ZeroPoints">Null for dense values.</param>
/// <param name="Residuals">Null for dense values, and where the codes stand alone.</param>
internal sealed record WeightTensors(PlannedTensor Values, PlannedTensor? Scales, PlannedTensor? ZeroPoints, PlannedTensor? Residuals)
{
    /// <summary>Declares tensors like these elsewhere: a slot that weights of one shape take turns in.</summary>
    /// <param name="residuals">Those of a weight of the shape that has them; null where none has.</param>
    public WeightTensors DeclareSlot(TensorTable table, string name, PlannedTensor? residuals)
    {
        PlannedTensor Like(PlannedTensor tensor, string suffix) => table.Transient(
            name + suffix, tensor.View.DType, tensor.View.Rows, tensor.View.Columns, TensorCategory.Staging);
        return new WeightTensors(
            Like(Values, string.Empty),
            Scales is null ? null : Like(Scales, Weight.ScaleSuffix),
            ZeroPoints is null ? null : Like(ZeroPoints, Weight.ZeroPointSuffix),
            residuals is null ? null : Like(residuals, Weight.ResidualSuffix));
    }

    /// <summary>Begins to copy every tensor to its counterpart in the other memory space.</summary>
    /// <param name="withResiduals">Whether both hold a weight that has residual bits.</param>
    public void BeginTransfer(IDevice device, WeightTensors destination, bool withResiduals, List<Transfer> begun)
    {
        begun.Add(device.BeginTransfer(Values, destination.Values));
        if (Scales is not null)
        {
            begun.Add(device.BeginTransfer(Scales, destination.Scales!));
            begun.Add(device.BeginTransfer(ZeroPoints!, destination.ZeroPoints!));
        }

        if (withResiduals)
        {
            begun.Add(device.BeginTransfer(Residuals!, destination.Residuals!));
        }
    }
}
