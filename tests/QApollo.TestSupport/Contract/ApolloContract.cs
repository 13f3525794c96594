using QApollo.Devices;
using QApollo.TestSupport.Oracles;
using Xunit;

namespace QApollo.TestSupport.Contract;

/// <summary>Projection and scaling of APOLLO and APOLLO-Mini.</summary>
public abstract class ApolloContract : DeviceContract
{
    public static TheoryData<int, int, int> Shapes => new()
    {
        { 1, 1, 1 }, { 3, 17, 1 }, { 17, 3, 1 }, { 64, 64, 1 }, { 130, 344, 1 }, { 344, 130, 1 }, { 300, 5461, 1 }, { 5461, 33, 1 },
        { 33, 70, 4 }, { 70, 33, 5 }, { 64, 130, 16 }, { 200, 64, 8 },
        { 96, 4096, 1 }, { 4096, 96, 1 }, { 96, 1032, 16 }, { 1032, 96, 16 }, { 1031, 97, 3 },
        { 1040, 1032, 1 }, { 1039, 1031, 1 }, { 130, 67, 6 }, { 67, 130, 6 },
        { 97, 1032, 1 }, { 97, 1032, 3 }, { 1, 264, 1 },
    };

    [Theory]
    [MemberData(nameof(Shapes))]
    public void Projection_and_channel_squares(int m, int n, int rank)
    {
        foreach (DType dtype in (DType[])[DType.F32, DType.BF16])
        {
            var samples = new Samples(m + n);
            int channels = Math.Max(m, n);
            Memory.UseWorkspace(new WorkspaceRequest(new AttentionShape(1, 1, 1, 1, 1, 2), channels, channels));
            Operand gradient = Memory.Upload(samples.Normals(m * n, 0.01), dtype, m, n);
            Operand projection = m >= n
                ? Memory.Upload(samples.Normals(rank * n), DType.F32, rank, n)
                : Memory.Upload(samples.Normals(m * rank), DType.F32, m, rank);
            Tensor projected = Memory.Zeros(DType.F32, m >= n ? m : rank, m >= n ? rank : n);
            Tensor squares = Memory.Zeros(DType.F32, 1, channels);
            Device.Fill(projected, float.NaN);
            Device.Fill(squares, float.NaN);
            Device.ApolloProject(gradient.Tensor, projection.Tensor, projected, squares);
            var (expected, expectedSquares) = ApolloOracle.Project(gradient.Values, projection.Values, m, n, rank);
            double magnitude = 0.01 * Math.Sqrt(Math.Min(m, n));
            Compare.AllClose(Memory.Floats(projected), expected, magnitude * 4e-6, 4e-6, $"projected, {dtype}");
            Compare.AllClose(Memory.Floats(squares), expectedSquares, 0, 4e-6, $"squares, {dtype}");
        }
    }

    public static TheoryData<int, int, bool, bool, bool, BiasCorrection> Scalings
    {
        get
        {
            var data = new TheoryData<int, int, bool, bool, bool, BiasCorrection>();
            foreach ((int channels, int rank) in ((int, int)[])[(1, 1), (17, 1), (5461, 1), (130, 4), (700, 16), (20, 150)])
            {
                foreach (bool rows in (bool[])[false, true])
                {
                    foreach (bool tensorWise in (bool[])[false, true])
                    {
                        data.Add(channels, rank, rows, tensorWise, rows, BiasCorrection.StepSize);
                        data.Add(channels, rank, rows, tensorWise, !rows, BiasCorrection.Direction);
                    }
                }
            }

            return data;
        }
    }

    /// <summary>Several updates in a row, so that moments and limiter carry over; a gradient that grows trips the limiter.</summary>
    [Theory]
    [MemberData(nameof(Scalings))]
    public void Scaling_follows_the_algorithm(int channels, int rank, bool rows, bool tensorWise, bool scaleFront, BiasCorrection correction)
    {
        var state = new State(this, channels, rank, rows, tensorWise);
        for (int step = 1; step <= 4; step++)
        {
            double size = step == 3 ? 0.5 : 0.01;
            Operand projected = state.Projected(size, step);
            Operand squares = Memory.Upload(new Samples(step).Uniform(channels, 0.1 * size, size), DType.F32, 1, channels);
            state.Step(projected, squares, Scalars(step, tensorWise, scaleFront, correction));
        }
    }

    [Fact]
    public void A_gradient_that_is_not_finite_changes_nothing_but_its_sum()
    {
        var state = new State(this, 17, 2, rows: true, tensorWise: false);
        ApolloScalars scalars = Scalars(1, false, false, BiasCorrection.StepSize);
        state.Step(state.Projected(1, 1), Memory.Upload(new Samples(1).Uniform(17, 1, 2), DType.F32, 1, 17), scalars);
        double[] squares = new Samples(2).Uniform(17, 1, 2);
        squares[5] = double.NaN;
        double[] bad = new Samples(2).Normals(34);
        bad[10] = double.NaN;
        byte[] before = state.Bytes();
        state.Run(Memory.Upload(bad, DType.F32, 17, 2), Memory.Upload(squares, DType.F32, 1, 17), scalars);
        Compare.BitEqual<byte>(state.Bytes(), before, "moments and stored norm");
        Assert.All(Memory.Floats(state.Coefficients), c => Assert.Equal(0f, c));
        Assert.False(float.IsFinite(Memory.Floats(state.GradientSquares)[0]));
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void A_stored_norm_of_zero_counts_as_asked(bool keepZeroNorm)
    {
        var state = new State(this, 9, 1, rows: false, tensorWise: true);
        ApolloScalars scalars = Scalars(2, true, false, BiasCorrection.StepSize) with { KeepZeroNorm = keepZeroNorm };
        state.Step(state.Projected(1, 1), Memory.Upload(new Samples(1).Uniform(9, 1, 2), DType.F32, 1, 9), scalars);
        bool moves = Memory.Floats(state.Coefficients)[0] > 1e-4f;
        Assert.Equal(!keepZeroNorm, moves);
    }

    private static ApolloScalars Scalars(int step, bool tensorWise, bool scaleFront, BiasCorrection correction) => new(
        AdamContract.Scalars(step, correction), 0.01f, MathF.Sqrt(128), scaleFront, UseLimiter: true, StoreOnly: step == 1, KeepZeroNorm: false, tensorWise);

    /// <summary>The optimizer state of one matrix on the device, and the oracle's.</summary>
    private sealed class State
    {
        private readonly ApolloContract _test;
        private readonly int _rows;
        private readonly int _columns;
        private readonly ChannelAxis _axis;
        private readonly Tensor _moment1;
        private readonly Tensor _moment2;
        private readonly Tensor _limiterNorm;
        private readonly Tensor _limited;
        private readonly double[] _expected1;
        private readonly double[] _expected2;
        private double _expectedNorm;
        private int _expectedLimited;

        public State(ApolloContract test, int channels, int rank, bool rows, bool tensorWise)
        {
            _test = test;
            _rows = rows ? channels : rank;
            _columns = rows ? rank : channels;
            _axis = rows ? ChannelAxis.Rows : ChannelAxis.Columns;
            _moment1 = test.Memory.Zeros(DType.F32, _rows, _columns);
            _moment2 = test.Memory.Zeros(DType.F32, _rows, _columns);
            _limiterNorm = test.Memory.Zeros(DType.F32, 1, 1);
            Coefficients = test.Memory.Zeros(DType.F32, 1, tensorWise ? 1 : channels);
            GradientSquares = test.Memory.Zeros(DType.F32, 1, 1);
            _limited = test.Memory.Zeros(DType.I64, 1, 1);
            _expected1 = new double[channels * rank];
            _expected2 = new double[channels * rank];
        }

        public Tensor Coefficients { get; }

        public Tensor GradientSquares { get; }

        /// <summary>An element keeps its sign over the steps: moments that cancel out would have no digits to compare.</summary>
        public Operand Projected(double size, int seed)
        {
            double[] signs = new Samples(0).Normals(_rows * _columns);
            double[] values = new Samples(seed).Normals(_rows * _columns, size);
            return _test.Memory.Upload([.. values.Select((v, i) => Math.CopySign(v, signs[i]))], DType.F32, _rows, _columns);
        }

        public byte[] Bytes() => [.. _test.Memory.Bytes(_moment1), .. _test.Memory.Bytes(_moment2), .. _test.Memory.Bytes(_limiterNorm)];

        public void Run(Operand projected, Operand squares, in ApolloScalars scalars) => _test.Device.ApolloScale(
            projected.Tensor, squares.Tensor, _axis, scalars, _moment1, _moment2, _limiterNorm, Coefficients, GradientSquares, _limited);

        public void Step(Operand projected, Operand squares, in ApolloScalars scalars)
        {
            double sum = _test.Memory.Floats(GradientSquares)[0] + squares.Values.Sum();
            Run(projected, squares, scalars);
            double[] coefficients = ApolloOracle.Scale(
                projected.Values, squares.Values, _axis, scalars, _expected1, _expected2, ref _expectedNorm, out bool limits);
            _expectedLimited += limits ? 1 : 0;
            Assert.Equal(_expectedLimited, _test.Memory.Count(_limited, 0));
            Compare.AllClose(_test.Memory.Floats(Coefficients), coefficients, 0, 2e-5, "coefficients");
            Compare.AllClose(_test.Memory.Floats(_moment1), _expected1, 1e-7, 1e-5, "first moment");
            Compare.AllClose(_test.Memory.Floats(_moment2), _expected2, 1e-12, 1e-5, "second moment");
            Compare.AllClose(_test.Memory.Floats(_limiterNorm), [_expectedNorm], 0, 1e-5, "stored norm");
            Compare.AllClose(_test.Memory.Floats(GradientSquares), [sum], 0, 1e-6, "sum of squares");
        }
    }
}
