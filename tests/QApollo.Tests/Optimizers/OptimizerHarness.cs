using System.Runtime.InteropServices;
using QApollo.Cpu;
using QApollo.Devices;
using QApollo.Memory;
using QApollo.Models;
using QApollo.Optimizers;
using QApollo.Quantization;
using QApollo.Tests.Training;

namespace QApollo.Tests.Optimizers;

/// <summary>One matrix and its optimizer on the CPU device, fed with given gradients and projections.</summary>
internal sealed class OptimizerHarness : IDisposable, IProjectionSource
{
    private readonly CpuDevice _device = Engine.Cpu();
    private readonly Arena _arena;
    private readonly PlannedTensor _gradient;
    private readonly StepStatisticsTensor _statistics;

    /// <param name="rows">1 for a vector.</param>
    public OptimizerHarness(
        int rows, int columns, OptimizerOptions options, Func<TensorTable, Weight, IProjectionSource, ParameterOptimizer> create,
        ParameterRole role = ParameterRole.Query)
    {
        Options = options;
        Decays = DecayHistory.Of(options);
        var table = new TensorTable();
        Weight = new Weight(table, new Parameter(0, "w", role, 0, rows, columns), Engine.Dense);
        Optimizer = create(table, Weight, this);
        _gradient = table.Persistent("gradient", DType.F32, rows, columns, TensorCategory.Gradients);
        _statistics = new StepStatisticsTensor(table);
        var workspace = table.Scratch(
            "workspace", _device.Profile.WorkspaceBytes(new WorkspaceRequest(new AttentionShape(1, 1, 1, 1, 1, 2), columns, rows)),
            TensorCategory.Workspace, persistent: true);
        Projection = [];
        var plan = MemoryPlan.Make(table, _device.Profile, device => Update(device, 1, 0));
        _arena = new Arena(_device, plan);
        if (workspace is not null)
        {
            _device.UseWorkspace(workspace);
        }
    }

    public OptimizerOptions Options { get; }

    /// <summary>In force at the next update.</summary>
    public DecayHistory Decays { get; set; }

    public Weight Weight { get; }

    public ParameterOptimizer Optimizer { get; }

    /// <summary>In force at the next update.</summary>
    public float[] Projection { get; set; }

    public float[] Values
    {
        get => Engine.Floats(_device, Weight.Values);
        set => _device.Upload(MemoryMarshal.AsBytes<float>(value), Weight.Values);
    }

    public float[] State(int index) => Engine.Floats(_device, Optimizer.State[index]);

    public void SetState(int index, float[] values) => _device.Upload(MemoryMarshal.AsBytes<float>(values), Optimizer.State[index]);

    public void Step(uint step, double learningRate, float[] gradient)
    {
        _device.Upload(MemoryMarshal.AsBytes<float>(gradient), _gradient);
        Update(_device, step, (float)learningRate);
    }

    public void Fill(IDevice device, Parameter parameter, int redraw, Tensor projection)
    {
        if (Projection.Length == 0)
        {
            device.Fill(projection, 0);
        }
        else
        {
            device.Upload(MemoryMarshal.AsBytes<float>(Projection), projection);
        }
    }

    public void Dispose()
    {
        _arena.Dispose();
        _device.Dispose();
    }

    private void Update(IDevice device, uint step, float learningRate)
    {
        var context = new UpdateContext(
            step, learningRate, Decays, 1, RoundingMode.Nearest, RegridMode.WhenNeeded, _statistics.Squares, _statistics.Counts);
        Optimizer.Update(device, context, _gradient, 0);
    }

    private sealed class StepStatisticsTensor(TensorTable table)
    {
        private readonly PlannedTensor _squares = table.Persistent("squares", DType.F32, 1, 1, TensorCategory.Staging);
        private readonly PlannedTensor _counts = table.Persistent("counts", DType.I64, 1, UpdateCounts.Length, TensorCategory.Staging);

        public Tensor Squares => _squares;

        public Tensor Counts => _counts;
    }
}
