using System.Numerics;
using QApollo.Cpu.Numerics;
using QApollo.Cpu.Threading;
using QApollo.Devices;
using QApollo.Quantization;

namespace QApollo.Cpu.Operations;

/// <summary>Rows of activations as INT8 codes with a scale each, rounded stochastically.</summary>
internal static unsafe class RowCodes
{
    /// <summary>Columns whose random words are drawn at a time; whole blocks of the stream.</summary>
    private const int Chunk = 1024;

    public static void Quantize(CpuContext context, Tensor values, in RandomStream stream, long firstRow, Tensor codes, Tensor scales)
    {
        int rows = RowsPerTask(values);
        var job = new QuantizeJob
        {
            Values = (float*)values.Address,
            Codes = (byte*)codes.Address,
            Scales = (float*)scales.Address,
            Stream = stream,
            FirstRow = firstRow,
            Rows = values.Rows,
            Columns = values.Columns,
            RowsPerTask = rows,
        };
        context.Pool.Run(job, (values.Rows + rows - 1) / rows);
    }

    public static void Dequantize(CpuContext context, Tensor codes, Tensor scales, Tensor values)
    {
        int rows = RowsPerTask(values);
        var job = new DequantizeJob
        {
            Codes = (byte*)codes.Address,
            Scales = (float*)scales.Address,
            Values = (float*)values.Address,
            Rows = values.Rows,
            Columns = values.Columns,
            RowsPerTask = rows,
        };
        context.Pool.Run(job, (values.Rows + rows - 1) / rows);
    }

    private static int RowsPerTask(Tensor values) => Math.Max(1, 8192 / values.Columns);

    private struct QuantizeJob : IJob
    {
        public float* Values;
        public byte* Codes;
        public float* Scales;
        public RandomStream Stream;
        public long FirstRow;
        public int Rows;
        public int Columns;
        public int RowsPerTask;

        public readonly void Run(int task, int worker)
        {
            uint* words = stackalloc uint[Chunk + PhiloxWords.Slack];
            int end = Math.Min((task + 1) * RowsPerTask, Rows);
            for (int row = task * RowsPerTask; row < end; row++)
            {
                float* x = Values + ((long)row * Columns);
                byte* codes = Codes + ((long)row * Columns);
                (Scales[row], float inverse) = RowGrid.Of(VectorMath.LargestMagnitude(x, Columns));
                if (inverse == 0)
                {
                    new Span<byte>(codes, Columns).Fill(RowGrid.Zero);
                    continue;
                }

                ulong first = (ulong)(FirstRow + row) * (ulong)RowGrid.Words(Columns);
                for (int column = 0; column < Columns; column += Chunk)
                {
                    int count = Math.Min(Chunk, Columns - column);
                    uint* drawn = PhiloxWords.Fill(Stream, first + (ulong)column, count, words);
                    Round(x + column, drawn, inverse, codes + column, count);
                }
            }
        }

        private static void Round(float* x, uint* words, float inverse, byte* codes, int count)
        {
            int width = Vector<float>.Count;
            int i = 0;
            for (; i <= count - (4 * width); i += 4 * width)
            {
                Vector<ushort> low = Vector.Narrow(Codes(x + i, words + i, inverse), Codes(x + i + width, words + i + width, inverse));
                Vector<ushort> high = Vector.Narrow(
                    Codes(x + i + (2 * width), words + i + (2 * width), inverse), Codes(x + i + (3 * width), words + i + (3 * width), inverse));
                Vector.Narrow(low, high).Store(codes + i);
            }

            for (; i < count; i++)
            {
                float scaled = x[i] * inverse;
                float below = MathF.Floor(scaled);
                float code = below + (Philox.ToUniform(words[i]) < scaled - below ? 1 : 0);
                codes[i] = (byte)((int)Math.Clamp(code, -RowGrid.Largest, RowGrid.Largest) + RowGrid.Zero);
            }

            static Vector<uint> Codes(float* x, uint* words, float inverse)
            {
                Vector<float> scaled = Vector.Load(x) * inverse;
                Vector<float> below = Vector.Floor(scaled);
                Vector<float> uniform = PhiloxWords.ToUniform(Vector.Load(words));
                Vector<float> code = below + Vector.ConditionalSelect(Vector.LessThan(uniform, scaled - below), Vector<float>.One, Vector<float>.Zero);
                code = Vector.Min(Vector.Max(code, Vector.Create(-(float)RowGrid.Largest)), Vector.Create((float)RowGrid.Largest));
                return Vector.AsVectorUInt32(Vector.ConvertToInt32(code) + Vector.Create(RowGrid.Zero));
            }
        }
    }

    private struct DequantizeJob : IJob
    {
        public byte* Codes;
        public float* Scales;
        public float* Values;
        public int Rows;
        public int Columns;
        public int RowsPerTask;

        public readonly void Run(int task, int worker)
        {
            int end = Math.Min((task + 1) * RowsPerTask, Rows);
            for (int row = task * RowsPerTask; row < end; row++)
            {
                byte* codes = Codes + ((long)row * Columns);
                float* values = Values + ((long)row * Columns);
                float scale = Scales[row];
                int width = Vector<float>.Count;
                int i = 0;
                for (; i <= Columns - (4 * width); i += 4 * width)
                {
                    Vector.Widen(Vector.Load(codes + i), out Vector<ushort> low, out Vector<ushort> high);
                    Vector.Widen(low, out Vector<uint> first, out Vector<uint> second);
                    Vector.Widen(high, out Vector<uint> third, out Vector<uint> fourth);
                    Value(first, scale).Store(values + i);
                    Value(second, scale).Store(values + i + width);
                    Value(third, scale).Store(values + i + (2 * width));
                    Value(fourth, scale).Store(values + i + (3 * width));
                }

                for (; i < Columns; i++)
                {
                    values[i] = (codes[i] - RowGrid.Zero) * scale;
                }
            }

            static Vector<float> Value(Vector<uint> codes, float scale) =>
                Vector.ConvertToSingle(Vector.AsVectorInt32(codes) - Vector.Create(RowGrid.Zero)) * scale;
        }
    }
}
