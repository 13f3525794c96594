using QApollo.Quantization;

namespace QApollo.Devices;

/// <summary>
/// Checks the shapes and dtypes of every operation, reports which buffers it reads and writes, and passes it on.
/// Without an inner device nothing is computed and no memory is needed: the step is rehearsed, and the memory
/// plan follows from what was reported. Around a real device it measures what the plan promised, operation by operation:
/// segments are not passed on.
/// </summary>
public sealed class TracingDevice(DeviceProfile profile, IOperationObserver observer, IDevice? inner = null) : IDevice
{
    private readonly List<(Tensor Source, Tensor Destination, Transfer Inner)> _transfers = [];
    private readonly List<(MemorySpace Space, long Bytes)> _allocations = [];

    public DeviceProfile Profile => profile;

    /// <summary>What was allocated through this device, in order.</summary>
    public IReadOnlyList<(MemorySpace Space, long Bytes)> Allocations => _allocations;

    public nint Allocate(MemorySpace space, long bytes)
    {
        _allocations.Add((space, bytes));
        return inner?.Allocate(space, bytes) ?? 0;
    }

    public void Free(MemorySpace space, nint address) => inner?.Free(space, address);

    public void UseWorkspace(Tensor workspace) => inner?.UseWorkspace(workspace);

    public void Upload(ReadOnlySpan<byte> source, Tensor destination)
    {
        Require.That(inner is null || source.Length == destination.Bytes, "upload", "the source has another size than the destination");
        Observe("upload", Write(destination));
        inner?.Upload(source, destination);
    }

    public void Download(Tensor source, Span<byte> destination)
    {
        Require.That(inner is null || destination.Length == source.Bytes, "download", "the destination has another size than the source");
        Observe("download", Read(source));
        inner?.Download(source, destination);
    }

    public void Copy(Tensor source, Tensor destination)
    {
        Require.Shape("copy", destination, source.Rows, source.Columns);
        Observe("copy", Read(source), Write(destination));
        inner?.Copy(source, destination);
    }

    public void Zero(Tensor tensor)
    {
        Observe("zero", Write(tensor));
        inner?.Zero(tensor);
    }

    public Transfer BeginTransfer(Tensor source, Tensor destination)
    {
        Require.Shape("transfer", destination, source.Rows, source.Columns);
        Require.DType("transfer", destination, source.DType);
        Observe("transfer", Read(source), Write(destination));
        _transfers.Add((source, destination, inner?.BeginTransfer(source, destination) ?? default));
        return new Transfer(_transfers.Count - 1);
    }

    public void AwaitTransfer(Transfer transfer)
    {
        var (source, destination, innerTransfer) = _transfers[transfer.Id];
        Observe("await transfer", Read(source), ReadWrite(destination));
        inner?.AwaitTransfer(innerTransfer);
    }

    public void WaitForTransfer(Transfer transfer)
    {
        var (source, destination, innerTransfer) = _transfers[transfer.Id];
        Observe("await transfer", Read(source), ReadWrite(destination));
        inner?.WaitForTransfer(innerTransfer);
    }

    public ICopyLane? OpenCopyLane(int marks) => inner?.OpenCopyLane(marks);

    public void Synchronize() => inner?.Synchronize();

    public void ChooseProducts(IReadOnlyList<ProductShape> products, int productsPerExpansion, Tensor memory) =>
        inner?.ChooseProducts(products, productsPerExpansion, memory);

    public void ExpandWeight(in WeightMatrix weight, WeightUse use, Tensor expansion)
    {
        Require.Weight("expand weight", weight);
        Require.That(
            expansion.Bytes >= profile.ExpandedWeightBytes(weight.OutFeatures, weight.InFeatures, use), "expand weight", "the expansion is too small");
        Observe("expand weight", Read(weight.Values), Read(weight.Scales), Read(weight.ZeroPoints), Write(expansion));
        inner?.ExpandWeight(weight, use, expansion);
    }

    public void EmbeddingForward(in WeightMatrix table, Tensor tokens, Tensor output)
    {
        Require.Weight("embedding forward", table);
        Require.DType("embedding forward", tokens, DType.I32);
        Require.Activation("embedding forward", profile, output, tokens.Columns, table.InFeatures);
        Observe("embedding forward", Read(table.Values), Read(table.Scales), Read(table.ZeroPoints), Read(tokens), Write(output));
        inner?.EmbeddingForward(table, tokens, output);
    }

    public void EmbeddingBackward(Tensor outputGradient, in TokenIndex index, int firstRow, Tensor tableGradient)
    {
        Require.Activation("embedding backward", profile, outputGradient, index.Positions.Columns, tableGradient.Columns);
        Require.Gradient("embedding backward", tableGradient, tableGradient.Rows, outputGradient.Columns);
        Observe(
            "embedding backward", Read(outputGradient), Read(index.Tokens), Read(index.Starts), Read(index.Positions),
            ReadWrite(tableGradient));
        inner?.EmbeddingBackward(outputGradient, index, firstRow, tableGradient);
    }

    public void RmsNormForward(Tensor input, Tensor weight, float epsilon, Tensor output, Tensor inverseRms)
    {
        Require.Activation("rmsnorm forward", profile, input, output.Rows, output.Columns);
        Require.Activation("rmsnorm forward", profile, output, input.Rows, input.Columns);
        Require.Vector("rmsnorm forward", weight, DType.F32, input.Columns);
        Require.Vector("rmsnorm forward", inverseRms, DType.F32, input.Rows);
        Observe("rmsnorm forward", Read(input), Read(weight), Write(output), Write(inverseRms));
        inner?.RmsNormForward(input, weight, epsilon, output, inverseRms);
    }

    public void RmsNormBackward(
        Tensor outputGradient, Tensor input, Tensor weight, Tensor inverseRms,
        Tensor inputGradient, bool accumulateInput, Tensor weightGradient, bool accumulateWeight)
    {
        Require.Activation("rmsnorm backward", profile, outputGradient, input.Rows, input.Columns);
        Require.Activation("rmsnorm backward", profile, inputGradient, input.Rows, input.Columns);
        Require.Vector("rmsnorm backward", weight, DType.F32, input.Columns);
        Require.Vector("rmsnorm backward", inverseRms, DType.F32, input.Rows);
        Require.Vector("rmsnorm backward", weightGradient, DType.F32, input.Columns);
        Require.That(!accumulateInput || inputGradient != outputGradient, "rmsnorm backward", "an accumulated gradient may not be the output gradient");
        Observe(
            "rmsnorm backward", Read(outputGradient), Read(input), Read(weight), Read(inverseRms),
            Write(inputGradient, accumulateInput), Write(weightGradient, accumulateWeight));
        inner?.RmsNormBackward(outputGradient, input, weight, inverseRms, inputGradient, accumulateInput, weightGradient, accumulateWeight);
    }

    public void LinearForward(Tensor input, in WeightMatrix weight, Tensor output, Tensor addend = default)
    {
        Require.Weight("linear forward", weight);
        Require.Activation("linear forward", profile, input, output.Rows, weight.InFeatures);
        Require.Output("linear forward", profile, output, input.Rows, weight.OutFeatures);
        Require.That(addend.IsAbsent || (addend.Rows == output.Rows && addend.Columns == output.Columns), "linear forward", "the addend has another shape than the output");
        ObserveProduct(weight.ForwardExpansion, new ProductShape(
            ProductKind.Forward, input.Rows, weight.OutFeatures, weight.InFeatures, weight.Values.DType, weight.GroupSize, output.DType));
        Observe(
            "linear forward", Read(input), Read(weight.Values), Read(weight.Scales), Read(weight.ZeroPoints), Read(weight.ForwardExpansion),
            Read(addend), Write(output));
        inner?.LinearForward(input, weight, output, addend);
    }

    public void LinearInputGradient(Tensor outputGradient, in WeightMatrix weight, Tensor inputGradient, bool accumulate)
    {
        Require.Weight("linear input gradient", weight);
        Require.Output("linear input gradient", profile, outputGradient, inputGradient.Rows, weight.OutFeatures);
        Require.Activation("linear input gradient", profile, inputGradient, outputGradient.Rows, weight.InFeatures);
        ObserveProduct(weight.InputGradientExpansion, new ProductShape(
            ProductKind.InputGradient, outputGradient.Rows, weight.OutFeatures, weight.InFeatures, weight.Values.DType, weight.GroupSize,
            inputGradient.DType));
        Observe(
            "linear input gradient", Read(outputGradient), Read(weight.Values), Read(weight.Scales), Read(weight.ZeroPoints),
            Read(weight.InputGradientExpansion), Write(inputGradient, accumulate));
        inner?.LinearInputGradient(outputGradient, weight, inputGradient, accumulate);
    }

    public void LinearWeightGradient(Tensor outputGradient, Tensor input, Tensor weightGradient, bool accumulate)
    {
        Require.Output("linear weight gradient", profile, outputGradient, input.Rows, weightGradient.Rows);
        Require.Activation("linear weight gradient", profile, input, outputGradient.Rows, weightGradient.Columns);
        Require.Gradient("linear weight gradient", weightGradient, outputGradient.Columns, input.Columns);
        observer.OnProduct(new ProductShape(
            ProductKind.WeightGradient, input.Rows, outputGradient.Columns, input.Columns, DType.F32, GroupSize: 0, weightGradient.DType));
        Observe("linear weight gradient", Read(outputGradient), Read(input), Write(weightGradient, accumulate));
        inner?.LinearWeightGradient(outputGradient, input, weightGradient, accumulate);
    }

    public void AddBias(Tensor values, Tensor bias)
    {
        Require.DType("add bias", values, profile.ActivationDType);
        Require.Vector("add bias", bias, DType.F32, values.Columns);
        Observe("add bias", Read(bias), ReadWrite(values));
        inner?.AddBias(values, bias);
    }

    public void BiasGradient(Tensor outputGradient, Tensor biasGradient, bool accumulate)
    {
        Require.DType("bias gradient", outputGradient, profile.ActivationDType);
        Require.Vector("bias gradient", biasGradient, DType.F32, outputGradient.Columns);
        Observe("bias gradient", Read(outputGradient), Write(biasGradient, accumulate));
        inner?.BiasGradient(outputGradient, biasGradient, accumulate);
    }

    public void RotaryEmbedding(
        Tensor values, Tensor cosine, Tensor sine, int sequenceLength, int firstPosition, bool inverse, Tensor documentStarts = default)
    {
        Require.Activation("rotary embedding", profile, values, values.Rows, values.Columns);
        Require.Shape("rotary embedding", sine, cosine.Rows, cosine.Columns);
        Require.That(values.Columns % (2 * cosine.Columns) == 0, "rotary embedding", "the row is no multiple of the head dimension");
        Require.That(firstPosition + (long)sequenceLength <= cosine.Rows, "rotary embedding", "positions leave the table");
        Require.DocumentStarts("rotary embedding", documentStarts, values.Rows);
        Observe("rotary embedding", Read(cosine), Read(sine), Read(documentStarts), ReadWrite(values));
        inner?.RotaryEmbedding(values, cosine, sine, sequenceLength, firstPosition, inverse, documentStarts);
    }

    public void AttentionForward(
        Tensor query, Tensor key, Tensor value, in AttentionShape shape, Tensor output, Tensor logSumExp, Tensor documentStarts = default)
    {
        Require.Attention("attention forward", profile, query, key, value, output, logSumExp, shape);
        Require.DocumentStarts("attention forward", documentStarts, shape.KeyRows);
        Observe("attention forward", Read(query), Read(key), Read(value), Write(output), Write(logSumExp), Read(documentStarts));
        inner?.AttentionForward(query, key, value, shape, output, logSumExp, documentStarts);
    }

    public void AttentionBackward(
        Tensor query, Tensor key, Tensor value, Tensor output, Tensor logSumExp, Tensor outputGradient, in AttentionShape shape,
        Tensor delta, Tensor queryGradient, Tensor keyGradient, Tensor valueGradient, Tensor documentStarts = default)
    {
        Require.DocumentStarts("attention backward", documentStarts, shape.QueryRows);
        Require.Attention("attention backward", profile, query, key, value, output, logSumExp, shape);
        Require.Attention("attention backward", profile, queryGradient, keyGradient, valueGradient, outputGradient, delta, shape);
        Require.That(shape.QueryLength == shape.KeyLength, "attention backward", "queries and keys differ in length");
        Observe(
            "attention backward", Read(query), Read(key), Read(value), Read(output), Read(logSumExp), Read(outputGradient),
            Write(delta), Write(queryGradient), Write(keyGradient), Write(valueGradient), Read(documentStarts));
        inner?.AttentionBackward(
            query, key, value, output, logSumExp, outputGradient, shape, delta, queryGradient, keyGradient, valueGradient, documentStarts);
    }

    public void SwiGluForward(Tensor gate, Tensor up, Tensor output)
    {
        Require.Activation("swiglu forward", profile, up, gate.Rows, gate.Columns);
        Require.Activation("swiglu forward", profile, output, gate.Rows, gate.Columns);
        Observe("swiglu forward", Read(gate), Read(up), Write(output));
        inner?.SwiGluForward(gate, up, output);
    }

    public void SwiGluBackward(Tensor gate, Tensor up, Tensor outputGradient, Tensor gateGradient, Tensor upGradient)
    {
        Require.Activation("swiglu backward", profile, outputGradient, gate.Rows, gate.Columns);
        Require.Activation("swiglu backward", profile, up, gate.Rows, gate.Columns);
        Require.Activation("swiglu backward", profile, gateGradient, gate.Rows, gate.Columns);
        Require.Activation("swiglu backward", profile, upGradient, gate.Rows, gate.Columns);
        Observe("swiglu backward", Read(gate), Read(up), Read(outputGradient), Write(gateGradient), Write(upGradient));
        inner?.SwiGluBackward(gate, up, outputGradient, gateGradient, upGradient);
    }

    public void CrossEntropyForward(Tensor logits, Tensor labels, Tensor logSumExp, Tensor losses)
    {
        Require.DType("cross-entropy forward", logits, profile.LogitDType);
        Require.Vector("cross-entropy forward", labels, DType.I32, logits.Rows);
        Require.Vector("cross-entropy forward", logSumExp, DType.F32, logits.Rows);
        Require.Vector("cross-entropy forward", losses, DType.F32, logits.Rows);
        Observe("cross-entropy forward", Read(logits), Read(labels), Write(logSumExp), Write(losses));
        inner?.CrossEntropyForward(logits, labels, logSumExp, losses);
    }

    public void CrossEntropyBackward(Tensor logits, Tensor labels, Tensor logSumExp, int firstColumn, float scale)
    {
        Require.DType("cross-entropy backward", logits, profile.LogitDType);
        Require.Vector("cross-entropy backward", labels, DType.I32, logits.Rows);
        Require.Vector("cross-entropy backward", logSumExp, DType.F32, logits.Rows);
        Observe("cross-entropy backward", Read(labels), Read(logSumExp), ReadWrite(logits));
        inner?.CrossEntropyBackward(logits, labels, logSumExp, firstColumn, scale);
    }

    public void AccumulateSum(Tensor values, Tensor total)
    {
        Require.DType("sum", values, DType.F32);
        Require.Vector("sum", total, DType.F32, 1);
        Observe("sum", Read(values), ReadWrite(total));
        inner?.AccumulateSum(values, total);
    }

    public void AccumulateSumOfSquares(Tensor values, Tensor total)
    {
        Require.Vector("sum of squares", total, DType.F32, 1);
        Observe("sum of squares", Read(values), ReadWrite(total));
        inner?.AccumulateSumOfSquares(values, total);
    }

    public void FillNormal(Tensor destination, in RandomStream stream, long firstElement, float standardDeviation)
    {
        Require.That(firstElement % 4 == 0, "fill normal", "the first element is no multiple of 4");
        Observe("fill normal", Write(destination));
        inner?.FillNormal(destination, stream, firstElement, standardDeviation);
    }

    public void Fill(Tensor destination, float value)
    {
        Observe("fill", Write(destination));
        inner?.Fill(destination, value);
    }

    public void QuantizeRows(Tensor values, in RandomStream stream, long firstRow, Tensor codes, Tensor scales)
    {
        Require.Rows("quantize rows", profile, values, codes, scales);
        Require.That(firstRow >= 0, "quantize rows", $"the first row's number is {firstRow}");
        Observe("quantize rows", Read(values), Write(codes), Write(scales));
        inner?.QuantizeRows(values, stream, firstRow, codes, scales);
    }

    public void DequantizeRows(Tensor codes, Tensor scales, Tensor values)
    {
        Require.Rows("dequantize rows", profile, values, codes, scales);
        Observe("dequantize rows", Read(codes), Read(scales), Write(values));
        inner?.DequantizeRows(codes, scales, values);
    }

    public void ApolloProject(Tensor gradient, Tensor projection, Tensor projected, Tensor channelSquares)
    {
        bool rows = gradient.Rows >= gradient.Columns;
        int channels = Math.Max(gradient.Rows, gradient.Columns);
        int rank = rows ? projection.Rows : projection.Columns;
        Require.Gradient("apollo project", gradient, gradient.Rows, gradient.Columns);
        Require.Shape("apollo project", projection, rows ? rank : gradient.Rows, rows ? gradient.Columns : rank);
        Require.Shape("apollo project", projected, rows ? channels : rank, rows ? rank : channels);
        Require.Vector("apollo project", channelSquares, DType.F32, channels);
        Observe("apollo project", Read(gradient), Read(projection), Write(projected), Write(channelSquares));
        inner?.ApolloProject(gradient, projection, projected, channelSquares);
    }

    public void ApolloScale(
        Tensor projected, Tensor channelSquares, ChannelAxis axis, in ApolloScalars scalars,
        Tensor moment1, Tensor moment2, Tensor limiterNorm, Tensor coefficients, Tensor gradientSquares, Tensor limited)
    {
        Require.Shape("apollo scale", moment1, projected.Rows, projected.Columns);
        Require.Shape("apollo scale", moment2, projected.Rows, projected.Columns);
        Require.Vector("apollo scale", channelSquares, DType.F32, axis == ChannelAxis.Rows ? projected.Rows : projected.Columns);
        Require.Vector("apollo scale", coefficients, DType.F32, scalars.TensorWise ? 1 : channelSquares.Columns);
        Require.Vector("apollo scale", limiterNorm, DType.F32, 1);
        Require.Vector("apollo scale", gradientSquares, DType.F32, 1);
        Require.Vector("apollo scale", limited, DType.I64, 1);
        Observe(
            "apollo scale", Read(projected), Read(channelSquares), ReadWrite(moment1), ReadWrite(moment2), ReadWrite(limiterNorm),
            Write(coefficients), ReadWrite(gradientSquares), ReadWrite(limited));
        inner?.ApolloScale(
            projected, channelSquares, axis, scalars, moment1, moment2, limiterNorm, coefficients, gradientSquares, limited);
    }

    public void SumSquares(Tensor values, ChannelAxis axis, Tensor weights, Tensor sums)
    {
        (int count, int summed) = axis == ChannelAxis.Rows ? (values.Rows, values.Columns) : (values.Columns, values.Rows);
        Require.That(axis != ChannelAxis.None, "sum squares", "needs rows or columns");
        Require.Gradient("sum squares", values, values.Rows, values.Columns);
        Require.Vector("sum squares", sums, DType.F32, count);
        if (!weights.IsAbsent)
        {
            Require.Vector("sum squares", weights, DType.F32, summed);
        }

        Observe("sum squares", Read(values), Read(weights), Write(sums));
        inner?.SumSquares(values, axis, weights, sums);
    }

    public void ScaleRows(Tensor values, Tensor factors)
    {
        Require.Gradient("scale rows", values, values.Rows, values.Columns);
        Require.Vector("scale rows", factors, DType.F32, values.Rows);
        Observe("scale rows", ReadWrite(values), Read(factors));
        inner?.ScaleRows(values, factors);
    }

    public void Reciprocal(Tensor values, bool root, float scale, Tensor output)
    {
        Require.Vector("reciprocal", values, DType.F32, values.Columns);
        Require.Vector("reciprocal", output, DType.F32, values.Columns);
        Observe("reciprocal", Read(values), Write(output));
        inner?.Reciprocal(values, root, scale, output);
    }

    public void DivideBySquares(Tensor values, Tensor divisors)
    {
        Require.Vector("divide by squares", values, DType.F32, values.Columns);
        Require.Vector("divide by squares", divisors, DType.F32, divisors.Columns);
        Observe("divide by squares", ReadWrite(values), Read(divisors));
        inner?.DivideBySquares(values, divisors);
    }

    public void Average(Tensor values, float decay, float oneMinusDecay, Tensor average)
    {
        Require.Gradient("average", values, average.Rows, average.Columns);
        Require.DType("average", average, DType.F32);
        Observe("average", Read(values), ReadWrite(average));
        inner?.Average(values, decay, oneMinusDecay, average);
    }

    public void LimitGrowth(
        Tensor squares, Tensor weights, bool useLimiter, bool storeOnly, Tensor limiterNorm, Tensor coefficients, Tensor limited)
    {
        Require.Vector("limit growth", squares, DType.F32, squares.Columns);
        Require.Vector("limit growth", weights, DType.F32, squares.Columns);
        Require.Vector("limit growth", limiterNorm, DType.F32, 1);
        Require.Vector("limit growth", coefficients, DType.F32, coefficients.Columns);
        Require.Vector("limit growth", limited, DType.I64, 1);
        Observe("limit growth", Read(squares), Read(weights), ReadWrite(limiterNorm), ReadWrite(coefficients), ReadWrite(limited));
        inner?.LimitGrowth(squares, weights, useLimiter, storeOnly, limiterNorm, coefficients, limited);
    }

    public void AdamDirection(Tensor gradient, Tensor moment1, Tensor moment2, in AdamScalars scalars, Tensor gradientSquares)
    {
        Require.Shape("adam", moment1, gradient.Rows, gradient.Columns);
        Require.Shape("adam", moment2, gradient.Rows, gradient.Columns);
        Require.Vector("adam", gradientSquares, DType.F32, 1);
        Observe("adam", ReadWrite(gradient), ReadWrite(moment1), ReadWrite(moment2), ReadWrite(gradientSquares));
        inner?.AdamDirection(gradient, moment1, moment2, scalars, gradientSquares);
    }

    public void AdamDirection8Bit(
        Tensor gradient, Tensor moment1, Tensor moment2, Tensor scale1, Tensor scale2, in AdamScalars scalars, Tensor gradientSquares)
    {
        Require.Shape("adam 8-bit", moment1, gradient.Rows, gradient.Columns);
        Require.Shape("adam 8-bit", moment2, gradient.Rows, gradient.Columns);
        Require.DType("adam 8-bit", moment1, DType.U8);
        int blocks = EightBitMap.Blocks(gradient.Elements);
        Require.Vector("adam 8-bit", scale1, DType.F32, blocks);
        Require.Vector("adam 8-bit", scale2, DType.F32, blocks);
        Observe(
            "adam 8-bit", ReadWrite(gradient), ReadWrite(moment1), ReadWrite(moment2), ReadWrite(scale1), ReadWrite(scale2),
            ReadWrite(gradientSquares));
        inner?.AdamDirection8Bit(gradient, moment1, moment2, scale1, scale2, scalars, gradientSquares);
    }

    public void ApplyUpdate(
        in WeightMatrix weight, Tensor gradient, Tensor coefficients, ChannelAxis axis, in UpdateScalars scalars, Tensor counts)
    {
        Require.Weight("apply update", weight);
        Require.Gradient("apply update", gradient, weight.OutFeatures, weight.InFeatures);
        Require.Vector("apply update", coefficients, DType.F32, axis switch { ChannelAxis.Rows => gradient.Rows, ChannelAxis.Columns => gradient.Columns, _ => 1 });
        Require.Vector("apply update", counts, DType.I64, UpdateCounts.Length);
        Observe(
            "apply update", Read(gradient), Read(coefficients), ReadWrite(weight.Values), ReadWrite(weight.Scales),
            ReadWrite(weight.ZeroPoints), ReadWrite(weight.Residuals), ReadWrite(counts));
        inner?.ApplyUpdate(weight, gradient, coefficients, axis, scalars, counts);
    }

    public void Quantize(Tensor source, in WeightMatrix destination)
    {
        Require.Weight("quantize", destination);
        Require.Shape("quantize", source, destination.OutFeatures, destination.InFeatures);
        Observe(
            "quantize", Read(source), Write(destination.Values), Write(destination.Scales), Write(destination.ZeroPoints),
            Write(destination.Residuals));
        inner?.Quantize(source, destination);
    }

    public void Dequantize(in WeightMatrix source, Tensor destination)
    {
        Require.Weight("dequantize", source);
        Require.Shape("dequantize", destination, source.OutFeatures, source.InFeatures);
        Observe(
            "dequantize", Read(source.Values), Read(source.Scales), Read(source.ZeroPoints), Read(source.Residuals), Write(destination));
        inner?.Dequantize(source, destination);
    }

    /// <summary>Does nothing: the inner device belongs to whoever made it.</summary>
    public void Dispose()
    {
    }

    private static Access Read(Tensor tensor) => new(tensor, AccessKind.Read);

    private static Access ReadWrite(Tensor tensor) => new(tensor, AccessKind.ReadWrite);

    private static Access Write(Tensor tensor, bool accumulate = false) => new(tensor, accumulate ? AccessKind.ReadWrite : AccessKind.Write);

    private void ObserveProduct(Tensor expansion, in ProductShape product)
    {
        if (!product.IsQuantized || !expansion.IsAbsent)
        {
            observer.OnProduct(product);
        }
    }

    private void Observe(string operation, params ReadOnlySpan<Access> accesses) => observer.OnOperation(operation, accesses);
}
