using QApollo.Cpu.Gemm;
using QApollo.Cpu.Numerics;
using QApollo.Cpu.Threading;
using QApollo.Devices;

namespace QApollo.Cpu.Operations;

/// <summary>Task: a key/value head of a sequence.</summary>
internal unsafe struct AttentionForwardJob : IJob
{
    /// <summary>Up to so many queries per sequence, packing the keys costs more than it saves.</summary>
    private const int FewQueries = 4;

    public Microkernel Kernel;
    public AttentionShape Shape;
    public float* Query;
    public float* Key;
    public float* Value;
    public float* Output;
    public float* LogSumExp;
    public int* DocumentStarts;
    public byte* Workspace;

    public readonly void Run(int task, int worker)
    {
        int batch = task / Shape.KeyValueHeads;
        int group = task % Shape.KeyValueHeads;
        int features = Shape.HeadDim;
        AttentionScratch scratch = AttentionScratch.Forward(Shape, Workspace + worker * Attention.ThreadWorkspaceBytes(Shape));
        nint firstKey = (nint)batch * Shape.KeyLength * Shape.KeyColumns + group * features;
        float* key = Key + firstKey;
        float* value = Value + firstKey;
        bool few = Shape.QueryLength <= FewQueries;
        if (!few)
        {
            Attention.PackTransposed(key, Shape.KeyColumns, Shape.KeyLength, features, scratch.KeysTransposed, Kernel.Columns);
            Attention.Pack(value, Shape.KeyColumns, Shape.KeyLength, features, scratch.KeysOrValues, Kernel.Columns);
        }

        for (int head = group * Shape.GroupHeads; head < (group + 1) * Shape.GroupHeads; head++)
        {
            int step = few ? 1 : AttentionScratch.ForwardRows;
            for (int first = 0; first < Shape.QueryLength; first += step)
            {
                nint token = (nint)batch * Shape.QueryLength + first;
                nint start = token * Shape.QueryColumns + head * features;
                float* logSumExp = LogSumExp + (nint)head * Shape.QueryRows + token;
                int* starts = DocumentStarts == null ? null : DocumentStarts + token;
                int diagonal = Shape.KeyLength - Shape.QueryLength + first;
                if (few)
                {
                    int hidden = starts == null ? 0 : *starts;
                    nint seen = (nint)hidden * Shape.KeyColumns;
                    *logSumExp = RunRow(scratch, Query + start, key + seen, value + seen, diagonal + 1 - hidden, Output + start);
                }
                else
                {
                    RunBlock(scratch, start, Math.Min(step, Shape.QueryLength - first), diagonal, starts, logSumExp);
                }
            }
        }
    }

    /// <summary>A block of rows; row r sees keys starts[r] .. diagonal + r, all from the first on if starts is null.</summary>
    private readonly void RunBlock(in AttentionScratch scratch, nint start, int rows, int diagonal, int* starts, float* logSumExp)
    {
        float* inverseSums = stackalloc float[AttentionScratch.ForwardRows];
        int features = Shape.HeadDim;
        int skipped = starts == null ? 0 : Attention.KeysSkipped(*starts);
        diagonal -= skipped;
        int keys = diagonal + rows;
        LeftBlock query = Attention.CopyScaled(
            Query + start, Shape.QueryColumns, rows, features, Shape.Scale, scratch.QueryCopy, Kernel.Rows);
        CausalProduct.Scores(
            Kernel, query, scratch.KeysTransposed + (nint)skipped * features, rows, keys, features, diagonal, scratch.Scores, scratch.ScoreStride);
        for (int i = 0; i < rows; i++)
        {
            float* row = scratch.Scores + i * scratch.ScoreStride;
            int visible = diagonal + i + 1;
            if (starts != null)
            {
                new Span<float>(row, starts[i] - skipped).Fill(float.NegativeInfinity);
            }

            int padded = Attention.Pad(row, visible, float.NegativeInfinity);
            float max = Softmax.Max(row, padded);
            float sum = Softmax.Exponentials(row, padded, max);
            Attention.Clear(row, padded, CausalProduct.SeenByTile(Kernel, i, keys, diagonal));
            logSumExp[i] = max + MathF.Log(sum);
            inverseSums[i] = 1 / sum;
        }

        CausalProduct.Rows(
            Kernel, scratch.Scores, scratch.ScoreStride, scratch.KeysOrValues + (nint)skipped * Kernel.Columns,
            (nint)Shape.KeyLength * Kernel.Columns, rows, keys, features, diagonal, accumulate: false, Output + start, Shape.QueryColumns);
        for (int i = 0; i < rows; i++)
        {
            float* row = Output + start + (nint)i * Shape.QueryColumns;
            VectorMath.Multiply(row, inverseSums[i], row, features);
        }
    }

    /// <summary>One query against keys and values where they lie; returns log-sum-exp.</summary>
    private readonly float RunRow(in AttentionScratch scratch, float* query, float* key, float* value, int visible, float* output)
    {
        float* scores = scratch.Scores;
        nint stride = Shape.KeyColumns;
        for (int j = 0; j < visible; j++)
        {
            scores[j] = Shape.Scale * VectorMath.Dot(query, key + j * stride, Shape.HeadDim);
        }

        float max = Softmax.Max(scores, visible);
        float sum = Softmax.Exponentials(scores, visible, max);
        new Span<float>(output, Shape.HeadDim).Clear();
        for (int j = 0; j < visible; j++)
        {
            VectorMath.AddScaled(output, scores[j], value + j * stride, Shape.HeadDim);
        }

        VectorMath.Multiply(output, 1 / sum, output, Shape.HeadDim);
        return max + MathF.Log(sum);
    }
}
