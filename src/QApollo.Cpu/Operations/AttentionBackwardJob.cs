using QApollo.Cpu.Gemm;
using QApollo.Cpu.Numerics;
using QApollo.Cpu.Threading;
using QApollo.Devices;

namespace QApollo.Cpu.Operations;

/// <summary>
/// Task: a key/value head of a sequence. Block by block of its keys, all query rows that see them pass by; the gradients
/// of keys and values are summed over heads and rows in order, those of the queries over blocks of keys.
/// </summary>
internal unsafe struct AttentionBackwardJob : IJob
{
    public Microkernel Kernel;
    public AttentionShape Shape;
    public float* Query;
    public float* Key;
    public float* Value;
    public float* Output;
    public float* LogSumExp;
    public float* OutputGradient;
    public float* Delta;
    public float* QueryGradient;
    public float* KeyGradient;
    public float* ValueGradient;
    public int* DocumentStarts;
    public byte* Workspace;

    public readonly void Run(int task, int worker)
    {
        int batch = task / Shape.KeyValueHeads;
        int group = task % Shape.KeyValueHeads;
        int features = Shape.HeadDim;
        int width = Kernel.Columns;
        AttentionScratch scratch = AttentionScratch.Backward(Shape, Workspace + worker * Attention.ThreadWorkspaceBytes(Shape));
        if (DocumentStarts != null)
        {
            // Rows begin at different blocks of keys.
            for (int head = group * Shape.GroupHeads; head < (group + 1) * Shape.GroupHeads; head++)
            {
                BeginRows((nint)batch * Shape.QueryLength, head);
            }
        }

        for (int firstKey = 0; firstKey < Shape.KeyLength; firstKey += AttentionScratch.BackwardKeys)
        {
            int keys = Math.Min(AttentionScratch.BackwardKeys, Shape.KeyLength - firstKey);
            nint key = ((nint)batch * Shape.KeyLength + firstKey) * Shape.KeyColumns + group * features;
            Attention.PackTransposed(Key + key, Shape.KeyColumns, keys, features, scratch.KeysTransposed, width);
            Attention.PackTransposed(Value + key, Shape.KeyColumns, keys, features, scratch.ValuesTransposed, width);
            Attention.Pack(Key + key, Shape.KeyColumns, keys, features, scratch.KeysOrValues, width);
            VectorMath.Multiply(
                scratch.KeysOrValues, Shape.Scale, scratch.KeysOrValues, keys * PackedMatrix.Round(features, width));
            for (int i = 0; i < keys; i++)
            {
                new Span<float>(KeyGradient + key + (nint)i * Shape.KeyColumns, features).Clear();
                new Span<float>(ValueGradient + key + (nint)i * Shape.KeyColumns, features).Clear();
            }

            for (int head = group * Shape.GroupHeads; head < (group + 1) * Shape.GroupHeads; head++)
            {
                for (int first = firstKey; first < Shape.QueryLength; first += AttentionScratch.BackwardRows)
                {
                    nint token = (nint)batch * Shape.QueryLength + first;
                    int start = DocumentStarts == null ? 0 : DocumentStarts[token];
                    if (start >= firstKey + keys)
                    {
                        // Neither do later rows see a key of this block.
                        break;
                    }

                    int rows = Math.Min(AttentionScratch.BackwardRows, Shape.QueryLength - first);
                    bool firstBlock = firstKey == 0 && DocumentStarts == null;
                    RunBlock(scratch, token, head, rows, key, keys, firstKey, first - firstKey, firstBlock);
                }
            }
        }
    }

    /// <summary>What the first block of keys does for the rows of a sequence: their gradients are zero, and delta is computed.</summary>
    private readonly void BeginRows(nint token, int head)
    {
        for (nint row = token; row < token + Shape.QueryLength; row++)
        {
            nint start = row * Shape.QueryColumns + head * Shape.HeadDim;
            Delta[(nint)head * Shape.QueryRows + row] = VectorMath.Dot(OutputGradient + start, Output + start, Shape.HeadDim);
            new Span<float>(QueryGradient + start, Shape.HeadDim).Clear();
        }
    }

    /// <summary>A block of rows against a block of keys; row r sees keys 0 .. diagonal + r of it, but for those of earlier documents.</summary>
    private readonly void RunBlock(
        in AttentionScratch scratch, nint token, int head, int rows, nint key, int blockKeys, int firstKey, int diagonal, bool firstBlock)
    {
        int features = Shape.HeadDim;
        int* starts = DocumentStarts == null ? null : DocumentStarts + token;
        int skipped = starts == null ? 0 : Attention.KeysSkipped(Math.Max(0, *starts - firstKey));
        nint skippedPanels = (nint)skipped * features;
        nint panelStride = (nint)blockKeys * Kernel.Columns;
        firstKey += skipped;
        key += (nint)skipped * Shape.KeyColumns;
        diagonal -= skipped;
        int keys = Math.Min(blockKeys - skipped, diagonal + rows);
        int stride = scratch.ScoreStride;
        nint queryStride = Shape.QueryColumns;
        nint start = token * queryStride + head * features;
        nint statistics = (nint)head * Shape.QueryRows + token;
        float* gradient = OutputGradient + start;
        LeftBlock queries = Attention.CopyScaled(Query + start, queryStride, rows, features, Shape.Scale, scratch.QueryCopy, Kernel.Rows);
        LeftBlock gradients = Attention.CopyScaled(gradient, queryStride, rows, features, 1f, scratch.GradientCopy, Kernel.Rows);
        CausalProduct.Scores(Kernel, queries, scratch.KeysTransposed + skippedPanels, rows, keys, features, diagonal, scratch.Scores, stride);
        CausalProduct.Scores(
            Kernel, gradients, scratch.ValuesTransposed + skippedPanels, rows, keys, features, diagonal, scratch.ScoreGradients, stride);
        for (int i = 0; i < rows; i++)
        {
            if (firstBlock)
            {
                Delta[statistics + i] = VectorMath.Dot(gradient + i * queryStride, Output + start + i * queryStride, features);
            }

            int visible = Math.Min(keys, diagonal + i + 1);
            float* score = scratch.Scores + i * stride;
            float* scoreGradient = scratch.ScoreGradients + i * stride;
            if (starts != null)
            {
                int hidden = Math.Clamp(starts[i] - firstKey, 0, visible);
                new Span<float>(score, hidden).Fill(float.NegativeInfinity);
                new Span<float>(scoreGradient, hidden).Clear();
            }

            int padded = Attention.Pad(score, visible, float.NegativeInfinity);
            Attention.Pad(scoreGradient, visible, 0);
            Softmax.Differentiate(score, scoreGradient, padded, LogSumExp[statistics + i], Delta[statistics + i]);
            int seen = CausalProduct.SeenByTile(Kernel, i, keys, diagonal);
            Attention.Clear(score, padded, seen);
            Attention.Clear(scoreGradient, padded, seen);
        }

        Attention.Pack(scratch.QueryCopy, features, rows, features, scratch.Queries, Kernel.Columns);
        Attention.Pack(scratch.GradientCopy, features, rows, features, scratch.Gradients, Kernel.Columns);
        CausalProduct.AddKeys(
            Kernel, scratch.Scores, stride, scratch.Gradients, rows, keys, features, diagonal, ValueGradient + key, Shape.KeyColumns);
        CausalProduct.AddKeys(
            Kernel, scratch.ScoreGradients, stride, scratch.Queries, rows, keys, features, diagonal, KeyGradient + key, Shape.KeyColumns);
        CausalProduct.Rows(
            Kernel, scratch.ScoreGradients, stride, scratch.KeysOrValues + (nint)skipped * Kernel.Columns, panelStride, rows, keys, features,
            diagonal, !firstBlock, QueryGradient + start, queryStride);
    }
}
