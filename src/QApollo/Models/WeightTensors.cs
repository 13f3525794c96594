using QApollo.Devices;
using QApollo.Files;
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
    public WeightTensors DeclareSlot(TensorTable table, string name, MemorySpace space, PlannedTensor? residuals)
    {
        // What the host itself reads and writes is not seen by a rehearsal: it has its memory for itself.
        PlannedTensor Like(PlannedTensor tensor, string suffix) => space == MemorySpace.Device
            ? table.Transient(name + suffix, tensor.View.DType, tensor.View.Rows, tensor.View.Columns, TensorCategory.Staging)
            : table.Persistent(name + suffix, tensor.View.DType, tensor.View.Rows, tensor.View.Columns, TensorCategory.Staging, space);
        return new WeightTensors(
            Like(Values, string.Empty),
            Scales is null ? null : Like(Scales, Weight.ScaleSuffix),
            ZeroPoints is null ? null : Like(ZeroPoints, Weight.ZeroPointSuffix),
            residuals is null ? null : Like(residuals, Weight.ResidualSuffix));
    }

    /// <summary>Asks for every tensor to be read from its place in a file into memory.</summary>
    /// <param name="withResiduals">Whether both hold a weight that has residual bits.</param>
    /// <returns>The last request.</returns>
    public long Read(ScratchFile file, WeightTensors target, bool withResiduals)
    {
        long last = 0;
        for (int part = 0; part < Parts(withResiduals); part++)
        {
            if (this[part] is { } own)
            {
                last = file.Read(own.View.FileOffset(), target[part]!.View.Address, own.Bytes);
            }
        }

        return last;
    }

    /// <summary>Asks for every tensor to be written from memory to its place in a file.</summary>
    /// <inheritdoc cref="Read"/>
    public long Write(ScratchFile file, WeightTensors source, bool withResiduals)
    {
        long last = 0;
        for (int part = 0; part < Parts(withResiduals); part++)
        {
            if (this[part] is { } own)
            {
                last = file.Write(own.View.FileOffset(), source[part]!.View.Address, own.Bytes);
            }
        }

        return last;
    }

    /// <summary>Begins to copy every tensor to its counterpart in the other memory space.</summary>
    /// <param name="withResiduals">Whether both hold a weight that has residual bits.</param>
    public void BeginTransfer(IDevice device, WeightTensors destination, bool withResiduals, List<Transfer> begun)
    {
        for (int part = 0; part < Parts(withResiduals); part++)
        {
            if (this[part] is { } own)
            {
                begun.Add(device.BeginTransfer(own, destination[part]!));
            }
        }
    }

    private PlannedTensor? this[int part] => part switch
    {
        0 => Values,
        1 => Scales,
        2 => ZeroPoints,
        _ => Residuals,
    };

    private static int Parts(bool withResiduals) => withResiduals ? 4 : 3;
}
