using QApollo.Collectives;
using QApollo.Devices;
using QApollo.Memory;

namespace QApollo.Training;

/// <summary>The pinned host memory through which gradients travel between ranks.</summary>
internal sealed class ExchangeMemory
{
    private readonly PlannedTensor _values;
    private readonly PlannedTensor _received;
    private readonly PlannedTensor? _narrow;
    private readonly PlannedTensor? _narrowReceived;

    public ExchangeMemory(TensorTable table, int ranks, MemoryOptions memory)
    {
        int elements = ExchangeBuffers.ElementsFor(ranks);
        PlannedTensor Declare(string name, DType dtype) =>
            table.Persistent("exchange." + name, dtype, 1, elements, TensorCategory.Exchange, MemorySpace.PinnedHost);
        (_values, _received) = (Declare("values", DType.F32), Declare("received", DType.F32));
        if (memory.WireDType == DType.BF16 || memory.GradientDType == DType.BF16)
        {
            (_narrow, _narrowReceived) = (Declare("narrow", DType.BF16), Declare("narrow_received", DType.BF16));
        }
    }

    /// <summary>As they lie in the plan's memory.</summary>
    public ExchangeBuffers Buffers => new(_values, _received, _narrow?.View ?? default, _narrowReceived?.View ?? default);
}
