using QApollo.Quantization;

namespace QApollo.Devices;

/// <summary>
/// What a device must do: one method per operation that a LLaMA training step needs, nothing more.
/// <para>
/// All operations work on buffers that the caller owns, with explicit shapes and dtypes; none allocates. They run in
/// the order of the calls, but may still be running when a call returns; only <see cref="Download"/> and
/// <see cref="Synchronize"/> wait. Activations are [tokens, features] of <see cref="DeviceProfile.ActivationDType"/>
/// unless a method says otherwise; gradients of weights are F32 or BF16; sums are accumulated in binary32 at least,
/// in an order that does not depend on timing. Outputs may not overlap inputs unless a method allows it.
/// </para>
/// <para>
/// Implementations need not check arguments: <see cref="TracingDevice"/> checks every call of a step once, in the
/// rehearsal from which the memory plan is made.
/// </para>
/// Shape letters: N tokens of a micro-batch, H hidden, I intermediate, V vocabulary, O out features, C in features.
/// </summary>
public interface IDevice : IDisposable
{
    DeviceProfile Profile { get; }

    /// <summary>One zeroed allocation, freed by <see cref="Free"/> or with the device. A run asks once per memory space.</summary>
    /// <exception cref="OutOfMemoryException">The space has not that much left; the message says what was asked for.</exception>
    nint Allocate(MemorySpace space, long bytes);

    void Free(MemorySpace space, nint address);

    /// <summary>Scratch memory for all later operations: U8, at least <see cref="DeviceProfile.WorkspaceBytes"/>.</summary>
    void UseWorkspace(Tensor workspace);

    /// <summary>Copies host memory to memory of either space; the source may be reused when the call returns.</summary>
    void Upload(ReadOnlySpan<byte> source, Tensor destination);

    /// <summary>Copies memory of either space to host memory; waits for all earlier operations and transfers.</summary>
    void Download(Tensor source, Span<byte> destination);

    /// <summary>Copies between equal shapes, converting between F32 and BF16 where the dtypes differ. Same space.</summary>
    void Copy(Tensor source, Tensor destination);

    /// <summary>Clears memory of either space.</summary>
    void Zero(Tensor tensor);

    /// <summary>
    /// Starts a copy between memory spaces, ordered after all operations so far, beside those that follow.
    /// Same dtype and shape. Transfers run one after the other, in the order of the calls: one may take what the one before
    /// brings. No operation may touch either side until <see cref="AwaitTransfer"/>.
    /// </summary>
    Transfer BeginTransfer(Tensor source, Tensor destination);

    /// <summary>Orders all later operations after the transfer. The host does not wait.</summary>
    void AwaitTransfer(Transfer transfer);

    /// <summary>As <see cref="AwaitTransfer"/>, in place of it; and the host waits too, so that it may touch the memory.</summary>
    void WaitForTransfer(Transfer transfer);

    /// <summary>Opens a way for copies by another thread. Null where the device has none: copies then stand among its operations.</summary>
    /// <param name="marks">That hold at a time, 1 or more.</param>
    ICopyLane? OpenCopyLane(int marks) => null;

    /// <summary>Waits for all operations.</summary>
    void Synchronize();

    /// <summary>
    /// Begins operations that every step repeats on the same buffers, with other scalars. A device may remember them and give
    /// them to its driver as a whole the next time (CUDA graphs); what they compute, and in which order, stays the same.
    /// Segments do not nest. Does nothing on a device that gains nothing from it.
    /// </summary>
    /// <param name="number">The same for the same operations.</param>
    void BeginSegment(int number)
    {
    }

    /// <summary>Ends what <see cref="BeginSegment"/> began.</summary>
    void EndSegment()
    {
    }

    /// <summary>
    /// Lets a device that has several ways of computing a product measure them, before there is anything to compute; what it
    /// has chosen stays for its lifetime. Does nothing on a device that has one way.
    /// </summary>
    /// <param name="products">Those of a step.</param>
    /// <param name="productsPerExpansion">Products that an expanded weight serves: over so many its expansion is spread.</param>
    /// <param name="memory">U8 of zeros, and zeros again afterwards; large enough for the operands of any of the products.</param>
    void ChooseProducts(IReadOnlyList<ProductShape> products, int productsPerExpansion, Tensor memory)
    {
    }

    /// <summary>Dequantizes or rearranges a weight for repeated products; see <see cref="DeviceProfile.ExpandedWeightBytes"/>.</summary>
    /// <param name="expansion">U8, of that size.</param>
    void ExpandWeight(in WeightMatrix weight, WeightUse use, Tensor expansion);

    /// <summary>output[n] = table[tokens[n]].</summary>
    /// <param name="table">[V, H].</param>
    /// <param name="tokens">I32 [1, N], each in 0..V-1.</param>
    /// <param name="output">[N, H].</param>
    void EmbeddingForward(in WeightMatrix table, Tensor tokens, Tensor output);

    /// <summary>tableGradient[t - firstRow] += sum of outputGradient over the positions of token t, in ascending order.</summary>
    /// <param name="outputGradient">[N, H].</param>
    /// <param name="index">Tokens in firstRow .. firstRow + rows - 1 only (its First and Count select them).</param>
    /// <param name="firstRow">The table row of the gradient's row 0.</param>
    /// <param name="tableGradient">[rows, H] F32 or BF16.</param>
    void EmbeddingBackward(Tensor outputGradient, in TokenIndex index, int firstRow, Tensor tableGradient);

    /// <summary>RMSNorm: output = input * r * weight, r = 1 / sqrt(mean(input²) + epsilon) per row.</summary>
    /// <param name="input">[N, H].</param>
    /// <param name="weight">[1, H] F32.</param>
    /// <param name="output">[N, H]; may be <paramref name="input"/>.</param>
    /// <param name="inverseRms">[1, N] F32: r.</param>
    void RmsNormForward(Tensor input, Tensor weight, float epsilon, Tensor output, Tensor inverseRms);

    /// <summary>
    /// Reverses RMSNorm: with g = outputGradient * weight, inputGradient (+)= r * (g - x r² mean(g x)),
    /// weightGradient (+)= sum over rows of outputGradient * x * r.
    /// </summary>
    /// <param name="inputGradient">[N, H]; may be <paramref name="outputGradient"/> when not accumulated.</param>
    /// <param name="accumulateInput">Add to <paramref name="inputGradient"/> (the residual path's gradient is there already).</param>
    /// <param name="weightGradient">[1, H] F32.</param>
    /// <param name="accumulateWeight">Add to <paramref name="weightGradient"/> (a later micro-batch).</param>
    void RmsNormBackward(
        Tensor outputGradient, Tensor input, Tensor weight, Tensor inverseRms,
        Tensor inputGradient, bool accumulateInput, Tensor weightGradient, bool accumulateWeight);

    /// <summary>output = input Wᵀ (+ addend).</summary>
    /// <param name="input">[N, C].</param>
    /// <param name="weight">[O, C]; its ForwardExpansion is used where present.</param>
    /// <param name="output">[N, O] of the activation dtype, or of the logit dtype.</param>
    /// <param name="addend">[N, O], absent for none; may be <paramref name="output"/>: the residual connection.</param>
    void LinearForward(Tensor input, in WeightMatrix weight, Tensor output, Tensor addend = default);

    /// <summary>inputGradient (+)= outputGradient W.</summary>
    /// <param name="outputGradient">[N, O] of the activation or logit dtype.</param>
    /// <param name="weight">[O, C]; its InputGradientExpansion is used where present.</param>
    /// <param name="inputGradient">[N, C].</param>
    void LinearInputGradient(Tensor outputGradient, in WeightMatrix weight, Tensor inputGradient, bool accumulate);

    /// <summary>weightGradient (+)= outputGradientᵀ input.</summary>
    /// <param name="outputGradient">[N, O] of the activation or logit dtype.</param>
    /// <param name="input">[N, C].</param>
    /// <param name="weightGradient">[O, C] F32 or BF16; the product itself is summed in F32.</param>
    void LinearWeightGradient(Tensor outputGradient, Tensor input, Tensor weightGradient, bool accumulate);

    /// <summary>values[n, o] += bias[o], in place.</summary>
    /// <param name="values">[N, O].</param>
    /// <param name="bias">[1, O] F32.</param>
    void AddBias(Tensor values, Tensor bias);

    /// <summary>biasGradient (+)= sum over rows of outputGradient.</summary>
    /// <param name="outputGradient">[N, O].</param>
    /// <param name="biasGradient">[1, O] F32.</param>
    void BiasGradient(Tensor outputGradient, Tensor biasGradient, bool accumulate);

    /// <summary>
    /// Rotary position embedding in place, rotate-half convention (RoFormer, arXiv 2104.09864; Hugging Face layout):
    /// per head, with x1, x2 its halves: [x1 cos - x2 sin, x2 cos + x1 sin].
    /// </summary>
    /// <param name="values">[N, heads * 2 * D/2]: queries or keys; row n stands at position firstPosition + n % sequenceLength.</param>
    /// <param name="cosine">[positions, D/2] F32.</param>
    /// <param name="sine">[positions, D/2] F32.</param>
    /// <param name="inverse">Rotate back: the backward pass.</param>
    /// <param name="documentStarts">
    /// I32 [1, N], absent for none: place, in its sequence, of the first token of the row's document; positions count from there.
    /// </param>
    void RotaryEmbedding(
        Tensor values, Tensor cosine, Tensor sine, int sequenceLength, int firstPosition, bool inverse, Tensor documentStarts = default);

    /// <summary>Causal attention: output = softmax(Q Kᵀ / sqrt(D)) V per head.</summary>
    /// <param name="query">[batch * queries, heads * D].</param>
    /// <param name="key">[batch * keys, kvHeads * D].</param>
    /// <param name="value">[batch * keys, kvHeads * D].</param>
    /// <param name="output">[batch * queries, heads * D].</param>
    /// <param name="logSumExp">[heads, batch * queries] F32: log of the softmax denominator, of scaled scores.</param>
    /// <param name="documentStarts">
    /// I32 [1, N], absent for none: query i of a sequence sees no key before documentStarts[i], which is at most i and never
    /// below that of the query before: attention is block-diagonal. Needs equal query and key length.
    /// </param>
    void AttentionForward(
        Tensor query, Tensor key, Tensor value, in AttentionShape shape, Tensor output, Tensor logSumExp, Tensor documentStarts = default);

    /// <summary>
    /// Reverses attention (FlashAttention-2, arXiv 2307.08691, algorithm 2): P = exp(scores - logSumExp), dV = Pᵀ dO,
    /// dS = P (dO Vᵀ - rowsum(dO O)), dQ = dS K / sqrt(D), dK = dSᵀ Q / sqrt(D). Needs equal query and key length.
    /// </summary>
    /// <param name="output">[N, heads * D]: the forward output.</param>
    /// <param name="outputGradient">[N, heads * D].</param>
    /// <param name="delta">[heads, N] F32 scratch: rowsum(dO O).</param>
    /// <param name="queryGradient">[N, heads * D]; overwritten.</param>
    /// <param name="keyGradient">[N, kvHeads * D]; overwritten.</param>
    /// <param name="valueGradient">[N, kvHeads * D]; overwritten.</param>
    /// <param name="documentStarts">Those of the forward call.</param>
    void AttentionBackward(
        Tensor query, Tensor key, Tensor value, Tensor output, Tensor logSumExp, Tensor outputGradient, in AttentionShape shape,
        Tensor delta, Tensor queryGradient, Tensor keyGradient, Tensor valueGradient, Tensor documentStarts = default);

    /// <summary>SwiGLU: output = silu(gate) * up, silu(x) = x / (1 + e^-x) (arXiv 2002.05202).</summary>
    /// <param name="gate">[N, I].</param>
    /// <param name="up">[N, I].</param>
    /// <param name="output">[N, I]; may be <paramref name="gate"/> or <paramref name="up"/>.</param>
    void SwiGluForward(Tensor gate, Tensor up, Tensor output);

    /// <summary>
    /// Reverses SwiGLU: with s = sigmoid(gate), upGradient = dy gate s, gateGradient = dy up s (1 + gate (1 - s)).
    /// </summary>
    /// <param name="outputGradient">dy [N, I].</param>
    /// <param name="gateGradient">[N, I]; may be <paramref name="gate"/>.</param>
    /// <param name="upGradient">[N, I]; may be <paramref name="up"/>.</param>
    void SwiGluBackward(Tensor gate, Tensor up, Tensor outputGradient, Tensor gateGradient, Tensor upGradient);

    /// <summary>Per row: logSumExp of the logits, and loss = logSumExp - logits[label] (0 where the label is ignored).</summary>
    /// <param name="logits">[n, V] of the logit dtype.</param>
    /// <param name="labels">I32 [1, n]; negative labels are ignored.</param>
    /// <param name="logSumExp">[1, n] F32.</param>
    /// <param name="losses">[1, n] F32, in nats.</param>
    void CrossEntropyForward(Tensor logits, Tensor labels, Tensor logSumExp, Tensor losses);

    /// <summary>
    /// In place: logits become their gradient, scale * (exp(logit - logSumExp) - [column is the label]), 0 in ignored rows.
    /// </summary>
    /// <param name="logits">[n, columns] of the logit dtype: columns firstColumn .. of the vocabulary.</param>
    /// <param name="scale">1 / counted labels of the whole step, for the mean loss.</param>
    void CrossEntropyBackward(Tensor logits, Tensor labels, Tensor logSumExp, int firstColumn, float scale);

    /// <summary>total += sum of values.</summary>
    /// <param name="values">[1, n] F32.</param>
    /// <param name="total">[1, 1] F32.</param>
    void AccumulateSum(Tensor values, Tensor total);

    /// <summary>total += sum of squares of values (F32 or BF16), NaN and infinity included.</summary>
    /// <param name="total">[1, 1] F32.</param>
    void AccumulateSumOfSquares(Tensor values, Tensor total);

    /// <summary>
    /// Normal values by the Box–Muller transform of a stream: for the block b of words (x0..x3), with u = (x + 0.5) 2^-32,
    /// elements 4b..4b+3 are r0 cos(2πu1), r0 sin(2πu1), r2 cos(2πu3), r2 sin(2πu3), r = sqrt(-2 ln u), times the deviation.
    /// </summary>
    /// <param name="destination">F32 or BF16; element 0 is element <paramref name="firstElement"/> of the stream.</param>
    /// <param name="firstElement">A multiple of 4.</param>
    void FillNormal(Tensor destination, in RandomStream stream, long firstElement, float standardDeviation);

    /// <summary>Sets every element (F32 or BF16).</summary>
    void Fill(Tensor destination, float value);

    /// <summary>
    /// Each row as INT8 codes with one scale, without bias: s = largest |x| / 127, t = x * (127 / largest |x|), code = 128 + floor(t) +
    /// (u &lt; t - floor(t)), limited to 1..255; u, of 24 bits, from word (firstRow + n) * P + h of the stream, P = H rounded up to a
    /// multiple of 8. F32, each operation rounded by itself. A row whose largest value is below 2^-100 has scale 0, one with a value that is not
    /// finite has scale NaN; all codes are 128 then.
    /// </summary>
    /// <param name="values">[N, H].</param>
    /// <param name="stream">Where the roundings come from.</param>
    /// <param name="firstRow">Number of row 0 in the stream, at least 0; (firstRow + N) * P is at most 2^50.</param>
    /// <param name="codes">U8 [N, H].</param>
    /// <param name="scales">[1, N] F32.</param>
    void QuantizeRows(Tensor values, in RandomStream stream, long firstRow, Tensor codes, Tensor scales);

    /// <summary>values = (code - 128) * scale: what <see cref="QuantizeRows"/> kept.</summary>
    /// <param name="codes">U8 [N, H].</param>
    /// <param name="scales">[1, N] F32.</param>
    /// <param name="values">[N, H].</param>
    void DequantizeRows(Tensor codes, Tensor scales, Tensor values);

    /// <summary>
    /// Projects a gradient G [m, n] (F32 or BF16) along its smaller side (APOLLO, arXiv 2412.05270, algorithm 1):
    /// m &gt;= n: projected = G Pᵀ [m, r], P [r, n], channels are rows; m &lt; n: projected = Pᵀ G [r, n], P [m, r],
    /// channels are columns. In the same pass, the sum of squares of each channel.
    /// </summary>
    /// <param name="projection">F32: P.</param>
    /// <param name="projected">F32: R.</param>
    /// <param name="channelSquares">[1, max(m, n)] F32: sum of G² per channel.</param>
    void ApolloProject(Tensor gradient, Tensor projection, Tensor projected, Tensor channelSquares);

    /// <summary>
    /// From the projected gradient to the coefficients of the update, W -= coefficient * G. Updates the moments
    /// M = b1 M + (1 - b1) R, V = b2 V + (1 - b2) R²; D as <see cref="BiasCorrection"/> says; factor per channel j
    /// s_j = |D_j| / (|R_j| + 1e-8), or s = |D| / (|R| + 1e-8) for the matrix; c = |s G| (times sqrt(scale) if in front);
    /// limiter L = max(c / (stored + 1e-8), 1.01) / 1.01, stored = c / L; coefficient = stepSize * sqrt(scale) * s / L.
    /// Nothing but gradientSquares changes when the gradient is not finite: all coefficients are then 0.
    /// </summary>
    /// <param name="projected">R as <see cref="ApolloProject"/> leaves it: [m, r] when <paramref name="axis"/> is Rows, [r, n] when Columns.</param>
    /// <param name="axis">Which axis of G the channels are, for tensor-wise scaling too; Rows or Columns.</param>
    /// <param name="moment1">M, as R; F32.</param>
    /// <param name="moment2">V, as R; F32.</param>
    /// <param name="limiterNorm">[1, 1] F32: the stored norm.</param>
    /// <param name="coefficients">[1, channels] F32, or [1, 1] when tensor-wise.</param>
    /// <param name="gradientSquares">[1, 1] F32: the sum over the channels is added.</param>
    /// <param name="limited">[1, 1] I64: 1 is added where L &gt; 1.</param>
    void ApolloScale(
        Tensor projected, Tensor channelSquares, ChannelAxis axis, in ApolloScalars scalars,
        Tensor moment1, Tensor moment2, Tensor limiterNorm, Tensor coefficients, Tensor gradientSquares, Tensor limited);

    /// <summary>
    /// Rows: sums[i] = sum over j of weights[j] values[i, j]²; Columns: sums[j] = sum over i of weights[i] values[i, j]². NaN and
    /// infinity show in the sums.
    /// </summary>
    /// <param name="values">[m, n] F32 or BF16.</param>
    /// <param name="axis">Rows or Columns: what there is one sum of.</param>
    /// <param name="weights">F32 [1, n] for rows, [1, m] for columns, at least 0; absent: all are 1.</param>
    /// <param name="sums">F32 [1, m] for rows, [1, n] for columns.</param>
    void SumSquares(Tensor values, ChannelAxis axis, Tensor weights, Tensor sums);

    /// <summary>values[i, j] *= factors[i], in place.</summary>
    /// <param name="values">[m, n] F32 or BF16.</param>
    /// <param name="factors">[1, m] F32.</param>
    void ScaleRows(Tensor values, Tensor factors);

    /// <summary>output = scale / values, or scale / sqrt(values); 0 where the value is not above 0 and finite.</summary>
    /// <param name="values">[1, n] F32.</param>
    /// <param name="output">[1, n] F32; may be <paramref name="values"/>.</param>
    void Reciprocal(Tensor values, bool root, float scale, Tensor output);

    /// <summary>values /= sum of squares of the divisors, in place.</summary>
    /// <param name="values">[1, n] F32.</param>
    /// <param name="divisors">[1, m] F32.</param>
    void DivideBySquares(Tensor values, Tensor divisors);

    /// <summary>average = decay average + oneMinusDecay values, in place; elements whose value is not finite stay.</summary>
    /// <param name="values">F32 or BF16.</param>
    /// <param name="oneMinusDecay">1 - decay, formed in binary64.</param>
    /// <param name="average">F32, shape of the values.</param>
    void Average(Tensor values, float decay, float oneMinusDecay, Tensor average);

    /// <summary>
    /// The norm-growth limiter of <see cref="ApolloScale"/> for an update of norm c = sqrt(sum of squares * weights): L =
    /// max(c / (stored + 1e-8), 1.01) / 1.01, or 1 where there is nothing stored; stored = c / L; coefficients /= L. A norm that is
    /// not finite changes nothing but the coefficients, which become 0.
    /// </summary>
    /// <param name="squares">[1, m] F32.</param>
    /// <param name="weights">[1, m] F32.</param>
    /// <param name="useLimiter">Else L is 1 and nothing is stored.</param>
    /// <param name="storeOnly">L is 1: the first update of the parameter.</param>
    /// <param name="limiterNorm">[1, 1] F32: the stored norm; 0 counts as none.</param>
    /// <param name="coefficients">[1, n] F32.</param>
    /// <param name="limited">[1, 1] I64: 1 is added where L &gt; 1.</param>
    void LimitGrowth(
        Tensor squares, Tensor weights, bool useLimiter, bool storeOnly, Tensor limiterNorm, Tensor coefficients, Tensor limited);

    /// <summary>
    /// Adam in place: the gradient becomes the direction D of <see cref="AdamScalars.BiasCorrection"/>. gradientSquares +=
    /// sum of G². Elements whose gradient is not finite leave the moments alone and give direction 0.
    /// </summary>
    /// <param name="gradient">F32 or BF16.</param>
    /// <param name="moment1">F32, shape of the gradient.</param>
    /// <param name="moment2">F32, shape of the gradient.</param>
    void AdamDirection(Tensor gradient, Tensor moment1, Tensor moment2, in AdamScalars scalars, Tensor gradientSquares);

    /// <summary>
    /// As <see cref="AdamDirection"/> with moments in 8 bits (arXiv 2110.02861): flat blocks of 256 elements share a
    /// scale, the block's largest magnitude; a code selects an entry of <see cref="EightBitMap"/> (nearest).
    /// Direction and moments are formed in F32 before the moments are coded again.
    /// </summary>
    /// <param name="moment1">U8, shape of the gradient; codes of <see cref="EightBitMap.FirstMoment"/>.</param>
    /// <param name="moment2">U8, shape of the gradient; codes of <see cref="EightBitMap.SecondMoment"/>.</param>
    /// <param name="scale1">[1, blocks] F32.</param>
    /// <param name="scale2">[1, blocks] F32.</param>
    void AdamDirection8Bit(
        Tensor gradient, Tensor moment1, Tensor moment2, Tensor scale1, Tensor scale2, in AdamScalars scalars, Tensor gradientSquares);

    /// <summary>
    /// Rewrites a weight in place: W' = (W - c G) * decay, or W * decay - c G with DecayFirst. Dense values are computed
    /// in F32 and stored in their dtype (BF16: rounded as Rounding says, on the BF16 grid: low 16 bits + (u >> 16) carry).
    /// An INT8 group is updated in the code domain, in F32: v = q - zero + r / 2^bits (r, bits: the residual; 0 without
    /// residuals); v' = fma(-c G, 1 / scale, v) * decay; x = v' + zero; the grid is kept if every x is in [lowest, 255], lowest = GroupGrid.LowestCode of the weight's rule, and,
    /// unless Regrid is Always, GroupGrid.Fill of min(x, zero) and max(x, zero) is at least MinFill * 254 codes or the group's values
    /// did not change; else GroupGrid.FromRange of the rule over w = (v * scale - c G) * decay, and x = w / scale + zero on the new
    /// grid. Then f = round(x * 2^bits), limited to lowest..255 * 2^bits; q' is the code nearest to f / 2^bits (half up), r' = f - q' * 2^bits. Each operation rounds by itself but for the fma. A zero update leaves every byte as it was; a coefficient
    /// of 0 is a zero update whatever G and the decay are, NaN included. A group that would get a scale that is not finite
    /// stays as it was.
    /// </summary>
    /// <param name="gradient">G, F32 or BF16, shape of the weight.</param>
    /// <param name="coefficients">F32: c, [1, 1], [1, rows] or [1, columns] as <paramref name="axis"/> says.</param>
    /// <param name="counts">[1, <see cref="UpdateCounts.Length"/>] I64: what <see cref="UpdateCount"/> names is added.</param>
    void ApplyUpdate(
        in WeightMatrix weight, Tensor gradient, Tensor coefficients, ChannelAxis axis, in UpdateScalars scalars, Tensor counts);

    /// <summary>
    /// Builds the groups of an INT8 matrix from F32 values, with grids of its ZeroPointRule, to nearest (half to even) on the grid of
    /// codes, or on that of residuals where it has them; a dense one is converted.
    /// </summary>
    /// <param name="source">[O, C] F32.</param>
    void Quantize(Tensor source, in WeightMatrix destination);

    /// <summary>
    /// (code - zero + residual / 2^bits) * scale, or the dense values, as F32. Give a matrix without its residuals for what
    /// products read.
    /// </summary>
    /// <param name="destination">[O, C] F32.</param>
    void Dequantize(in WeightMatrix source, Tensor destination);
}
