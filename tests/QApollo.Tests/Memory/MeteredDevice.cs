using QApollo.Devices;
using QApollo.Memory;

namespace QApollo.Tests.Memory;

/// <summary>A device whose every operation is compared with a plan.</summary>
internal sealed class MeteredDevice
{
    public MeteredDevice(MemoryPlan plan, IDevice device) => Device = new TracingDevice(device.Profile, new PlanFollower(plan), device);

    public TracingDevice Device { get; }

    /// <summary>Operations come in the order of the plan; a second layout of the same options has the same one.</summary>
    private sealed class PlanFollower(MemoryPlan plan) : IOperationObserver
    {
        private int _time;

        public void OnOperation(string operation, ReadOnlySpan<Access> accesses)
        {
            if (plan.Operations[_time] != operation)
            {
                throw new InvalidOperationException($"operation {_time} is '{operation}', not '{plan.Operations[_time]}'");
            }

            _time++;
        }
    }
}
