using QApollo.Devices;

namespace QApollo.Torch.Operations;

/// <summary>Table look-up and its reverse.</summary>
internal static class Embedding
{
    public static void Forward(TorchContext context, in WeightMatrix table, Tensor tokens, Tensor output)
    {
        for (int row = 0, rows = TorchContext.RowsPerSlice(output.Columns); row < output.Rows; row += rows)
        {
            using TorchContext.Frame slice = context.Open();
            int count = Math.Min(rows, output.Rows - row);
            TorchTensor ids = context.View(tokens.ElementRange(row, count)).view(count);
            TorchTensor to = context.View(output.RowRange(row, count));
            TorchTensor values = context.View(table.Values).index_select(0, ids);
            if (!table.IsQuantized)
            {
                to.copy_(values);
                continue;
            }

            TorchTensor scales = context.View(table.Scales).index_select(0, ids), zeros = context.View(table.ZeroPoints).index_select(0, ids);
            foreach (GroupCut cut in GroupCut.Of(table))
            {
                using TorchContext.Frame frame = context.Open();
                TorchTensor group = context.Copy(cut.Elements(values), ScalarType.Float32);
                cut.Elements(to).copy_(group.sub_(context.Copy(cut.PerGroup(zeros), ScalarType.Float32)).mul_(cut.PerGroup(scales)));
            }
        }
    }

    /// <summary>
    /// The sums of a slice of tokens are one product: of a matrix of ones, where a token's positions are, with the gradient's
    /// rows in the order of the positions. It needs no atomic additions, so the same sums come out every time.
    /// </summary>
    public static void Backward(TorchContext context, Tensor outputGradient, in TokenIndex index, int firstRow, Tensor tableGradient)
    {
        if (index.Count == 0)
        {
            return;
        }

        using TorchContext.Frame frame = context.Open();
        TorchTensor table = context.View(tableGradient), gradient = context.View(outputGradient);
        int tokens = index.Positions.Columns, columns = tableGradient.Columns;
        TorchTensor starts = context.Copy(context.View(index.Starts).view(-1), ScalarType.Int64);
        for (int entry = index.First, entries = TorchContext.RowsPerSlice(columns); entry < index.First + index.Count; entry += entries)
        {
            using TorchContext.Frame tile = context.Open();
            int count = Math.Min(entries, index.First + index.Count - entry);
            TorchTensor sum = context.Filled(ScalarType.Float32, 0, count, columns);
            TorchTensor from = starts.narrow(0, entry, count).unsqueeze(1), to = starts.narrow(0, entry + 1, count).unsqueeze(1);
            for (int token = 0, some = TorchContext.RowsPerSlice(Math.Max(columns, count)); token < tokens; token += some)
            {
                using TorchContext.Frame slice = context.Open();
                int number = Math.Min(some, tokens - token);
                TorchTensor place = context.Count(ScalarType.Int64, number).Add((long)token).unsqueeze(0);
                TorchTensor isHere = context.Take(ScalarType.Int64, count, number).copy_(place).ge_(from);
                isHere.mul_(context.Take(ScalarType.Int64, count, number).copy_(place).lt_(to));
                TorchTensor position = context.View(index.Positions.ElementRange(token, number)).view(number);
                TorchTensor rows = context.Copy(gradient.index_select(0, position), ScalarType.Float32);
                sum.addmm_(context.Copy(isHere, ScalarType.Float32), rows, 1, 1);
            }

            TorchTensor row = context.Copy(context.View(index.Tokens.ElementRange(entry, count)).view(count), ScalarType.Int64).Sub(firstRow);
            TorchTensor stored = table.index_select(0, row);
            table.index_copy_(0, row, stored.copy_(sum.Add(stored)));
        }
    }
}
