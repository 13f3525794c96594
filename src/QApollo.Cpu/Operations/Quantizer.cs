using QApollo.Cpu.Numerics;
using QApollo.Cpu.Threading;
using QApollo.Devices;
using QApollo.Quantization;

namespace QApollo.Cpu.Operations;

/// <summary>Between binary32 values and the stored form of a weight.</summary>
internal static unsafe class Quantizer
{
    public static void Quantize(CpuContext context, Tensor source, in WeightMatrix destination)
    {
        if (!destination.IsQuantized)
        {
            Copies.Copy(context, source, destination.Values);
            return;
        }

        int rows = RowsPerTask(source);
        context.Pool.Run(
            new QuantizeJob { Source = (float*)source.Address, Weight = destination, RowsPerTask = rows }, (source.Rows + rows - 1) / rows);
    }

    public static void Dequantize(CpuContext context, in WeightMatrix source, Tensor destination)
    {
        if (!source.IsQuantized)
        {
            Copies.Copy(context, source.Values, destination);
            return;
        }

        int rows = RowsPerTask(destination);
        context.Pool.Run(
            new DequantizeJob { Weight = source, Destination = (float*)destination.Address, RowsPerTask = rows },
            (destination.Rows + rows - 1) / rows);
    }

    private static int RowsPerTask(Tensor matrix) => Math.Max(1, 16384 / matrix.Columns);

    private struct QuantizeJob : IJob
    {
        public float* Source;
        public WeightMatrix Weight;
        public int RowsPerTask;

        public readonly void Run(int task, int worker)
        {
            float* values = stackalloc float[GroupCode.MaxGroup];
            byte* codes = stackalloc byte[GroupCode.MaxGroup];
            byte* residuals = stackalloc byte[GroupCode.MaxGroup];
            int bits = Weight.ResidualBits;
            int columns = Weight.InFeatures;
            int end = Math.Min((task + 1) * RowsPerTask, Weight.OutFeatures);
            for (int row = task * RowsPerTask; row < end; row++)
            {
                long group = (long)row * Weight.Scales.Columns;
                for (int column = 0; column < columns; column += Weight.GroupSize, group++)
                {
                    int count = Math.Min(Weight.GroupSize, columns - column);
                    long first = (long)row * columns + column;
                    new ReadOnlySpan<float>(Source + first, count).CopyTo(new Span<float>(values, count));
                    new Span<float>(values + count, GroupCode.MaxGroup - count).Clear();
                    GroupGrid grid = GroupCode.Range(values, count, Weight.ZeroPointRule);
                    GroupCode.ToGrid(values, grid, count);
                    GroupCode.Round(values, words: null, offset: 0, bits, GroupGrid.LowestCode(Weight.ZeroPointRule), codes, residuals, count);
                    new ReadOnlySpan<byte>(codes, count).CopyTo(new Span<byte>((byte*)Weight.Values.Address + first, count));
                    if (bits != 0)
                    {
                        ResidualCode.Pack(residuals, bits, ResidualCode.At(Weight, first), count);
                    }

                    ((ushort*)Weight.Scales.Address)[group] = BFloat.FromSingle(grid.Scale);
                    ((byte*)Weight.ZeroPoints.Address)[group] = grid.ZeroPoint;
                }
            }
        }
    }

    private struct DequantizeJob : IJob
    {
        public WeightMatrix Weight;
        public float* Destination;
        public int RowsPerTask;

        public readonly void Run(int task, int worker)
        {
            int columns = Weight.InFeatures;
            int end = Math.Min((task + 1) * RowsPerTask, Weight.OutFeatures);
            for (int row = task * RowsPerTask; row < end; row++)
            {
                float* values = Destination + (long)row * columns;
                if (Weight.ResidualBits == 0)
                {
                    WeightRows.Read(Weight, row, 0, columns, values);
                }
                else
                {
                    ReadFine(row, values);
                }
            }
        }

        /// <summary>(q - z + r / 2^bits) * s.</summary>
        private readonly void ReadFine(int row, float* values)
        {
            byte* residuals = stackalloc byte[GroupCode.MaxGroup];
            int columns = Weight.InFeatures;
            int bits = Weight.ResidualBits;
            float unit = 1f / (1 << bits);
            long group = (long)row * Weight.Scales.Columns;
            for (int column = 0; column < columns; column += Weight.GroupSize, group++)
            {
                int count = Math.Min(Weight.GroupSize, columns - column);
                long first = (long)row * columns + column;
                ResidualCode.Unpack(ResidualCode.At(Weight, first), bits, residuals, count);
                byte* codes = (byte*)Weight.Values.Address + first;
                float scale = BFloat.ToSingle(((ushort*)Weight.Scales.Address)[group]);
                byte zero = ((byte*)Weight.ZeroPoints.Address)[group];
                for (int i = 0; i < count; i++)
                {
                    values[column + i] = (codes[i] - zero + (sbyte)residuals[i] * unit) * scale;
                }
            }
        }
    }
}
