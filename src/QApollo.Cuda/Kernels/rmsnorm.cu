// RMSNorm: y = x r w, r = 1 / sqrt(mean(x²) + epsilon) per row; x, y [N, H] bf16, w [H] float, r [N] float.
//
// Rows of up to 512 features have kernels of their own (rmsnorm_short.cu). Each in two forms: for vectors (H a multiple of 8, bases
// 16-byte aligned), 8 features per thread and turn; and for rows of any length at any address ("any"), two features (row_pairs.h).
//
// rmsnorm_forward: one block of 256 threads per row; y may be x.
// rmsnorm_backward: with g = dy w, dx (+)= r (g - x r² mean(g x)); dx may be dy when not accumulated. Each block takes
//   rows b, b + grid, ... and leaves dw_b = sum of dy x r over them in partials [grid, H]. Dynamic shared memory: 2080 floats
//   per turn of 2048 features: feature i of each thread in a row of 260, so that neither threads nor features meet in a bank. "any": two rows,
//   for features at odd and at even places, of H / 2 + 2 rounded up to 17 more than a multiple of 32: neighbours meet in no bank.
// rmsnorm_weight_gradient: dw (+)= sum of the partial rows; 32 features per block, every eighth row to a warp, whose sums are added in order.
// Sums: per thread ascending, then butterfly over the block (device.h).
#include "row_pairs.h"

KERNEL(rmsnorm_forward, 256, 8)(const bf16* x, const float* w, bf16* y, float* inverse_rms, int hidden, float epsilon) {
    SHARED(float, partial, 32);
    const bf16* row = x + i64(blockIdx.x) * hidden;
    float values[8], sum = 0;
#pragma unroll 1
    for (int column = threadIdx.x * 8; column < hidden; column += blockDim.x * 8) {
        load8(row + column, values);
#pragma unroll
        for (int i = 0; i < 8; i++) sum = __fmaf_rn(values[i], values[i], sum);
    }
    float r = 1.0f / __fsqrt_rn(block_sum(sum, partial) / float(hidden) + epsilon);
    if (threadIdx.x == 0) inverse_rms[blockIdx.x] = r;
#pragma unroll 1
    for (int column = threadIdx.x * 8; column < hidden; column += blockDim.x * 8) {
        float weights[8];
        load8(row + column, values);
        load8(w + column, weights);
#pragma unroll
        for (int i = 0; i < 8; i++) values[i] = values[i] * r * weights[i];
        store8(y + i64(blockIdx.x) * hidden + column, values);
    }
}
EXPORT_KERNEL(rmsnorm_forward)

KERNEL(rmsnorm_forward_any, 256, 8)(const bf16* x, const float* w, bf16* y, float* inverse_rms, int hidden, float epsilon) {
    SHARED(float, partial, 32);
    const bf16* row = x + i64(blockIdx.x) * hidden;
    bf16* target = y + i64(blockIdx.x) * hidden;
    int warp = threadIdx.x >> 5, lane = threadIdx.x & 31;
    float sum = 0;
#pragma unroll 1
    for (int first = first_column(row, warp); first < hidden; first += blockDim.x * 2) {
        float2 values = pair_within(row, first + lane * 2, hidden);
        sum = __fmaf_rn(values.x, values.x, sum);
        sum = __fmaf_rn(values.y, values.y, sum);
    }
    float r = 1.0f / __fsqrt_rn(block_sum(sum, partial) / float(hidden) + epsilon);
    if (threadIdx.x == 0) inverse_rms[blockIdx.x] = r;
#pragma unroll 1
    for (int first = first_column(target, warp); first < hidden; first += blockDim.x * 2) {
        int column = first + lane * 2;
        float2 values = load_pair(row, column, hidden), weights = load_pair(w, column, hidden);
        store_pair(target, column, hidden, make_float2(values.x * r * weights.x, values.y * r * weights.y));
    }
}
EXPORT_KERNEL(rmsnorm_forward_any)

constexpr int TurnFeatures = 2048, FeaturePitch = 260, TurnPlaces = 8 * FeaturePitch;

KERNEL(rmsnorm_backward, 256, 3)
(const bf16* dy, const bf16* x, const float* w, const float* inverse_rms, bf16* dx, float* partials, int rows, int hidden, int accumulate) {
    SHARED(float, partial, 32);
    DYNAMIC_SHARED(float, weight_sums);
    for (int at = threadIdx.x; at < (hidden + TurnFeatures - 1) / TurnFeatures * TurnPlaces; at += blockDim.x) weight_sums[at] = 0;
    // Rows of zeros are written by other threads than those that add to them.
    __syncthreads();
    for (int row = blockIdx.x; row < rows; row += gridDim.x) {
        i64 start = i64(row) * hidden;
        float r = inverse_rms[row], dot = 0, gradients[8], values[8], weights[8];
        for (int column = threadIdx.x * 8; column < hidden; column += blockDim.x * 8) {
            load8(dy + start + column, gradients);
            load8(x + start + column, values);
            load8(w + column, weights);
            float* sums = weight_sums + column / TurnFeatures * TurnPlaces + threadIdx.x;
#pragma unroll
            for (int i = 0; i < 8; i++) {
                dot = __fmaf_rn(gradients[i] * weights[i], values[i], dot);
                sums[i * FeaturePitch] = __fmaf_rn(gradients[i], values[i] * r, sums[i * FeaturePitch]);
            }
        }
        float shift = block_sum(dot, partial) / float(hidden) * r * r;
        for (int column = threadIdx.x * 8; column < hidden; column += blockDim.x * 8) {
            load8(dy + start + column, gradients);
            load8(x + start + column, values);
            load8(w + column, weights);
#pragma unroll
            for (int i = 0; i < 8; i++) gradients[i] = r * (gradients[i] * weights[i] - values[i] * shift);
            if (accumulate) {
                load8(dx + start + column, values);
#pragma unroll
                for (int i = 0; i < 8; i++) gradients[i] += values[i];
            }
            store8(dx + start + column, gradients);
        }
    }
    // All sums are complete; a thread writes those of others.
    __syncthreads();
    for (int column = threadIdx.x; column < hidden; column += blockDim.x) {
        int turn = column / TurnFeatures, place = column % 8 * FeaturePitch + column % TurnFeatures / 8;
        partials[i64(blockIdx.x) * hidden + column] = weight_sums[turn * TurnPlaces + place];
    }
}
EXPORT_KERNEL(rmsnorm_backward)

KERNEL(rmsnorm_backward_any, 256, 3)
(const bf16* dy, const bf16* x, const float* w, const float* inverse_rms, bf16* dx, float* partials, int rows, int hidden, int accumulate) {
    SHARED(float, partial, 32);
    DYNAMIC_SHARED(float, weight_sums);
    int warp = threadIdx.x >> 5, lane = threadIdx.x & 31, half = (hidden / 2 + 16) / 32 * 32 + 17;
    // Columns count from 1 here: pairs reach one beyond each end of the row.
    auto sum_of = [&](int column) -> float& { return weight_sums[(column + 1) % 2 * half + (column + 1) / 2]; };
    for (int at = threadIdx.x; at < 2 * half; at += blockDim.x) weight_sums[at] = 0;
    // Rows of zeros are written by other threads than those that add to them.
    __syncthreads();
    for (int row = blockIdx.x; row < rows; row += gridDim.x) {
        i64 start = i64(row) * hidden;
        float r = inverse_rms[row], dot = 0;
        for (int first = first_column(x + start, warp); first < hidden; first += blockDim.x * 2) {
            int column = first + lane * 2;
            float2 gradients = load_pair(dy + start, column, hidden), values = pair_within(x + start, column, hidden), weights = load_pair(w, column, hidden);
            dot = __fmaf_rn(gradients.x * weights.x, values.x, dot);
            dot = __fmaf_rn(gradients.y * weights.y, values.y, dot);
            if (column < hidden) {
                sum_of(column) = __fmaf_rn(gradients.x, values.x * r, sum_of(column));
                sum_of(column + 1) = __fmaf_rn(gradients.y, values.y * r, sum_of(column + 1));
            }
        }
        // Its barriers also keep the next row's sums behind this row's: a column's thread changes with the row's alignment.
        float shift = block_sum(dot, partial) / float(hidden) * r * r;
        for (int first = first_column(dx + start, warp); first < hidden; first += blockDim.x * 2) {
            int column = first + lane * 2;
            float2 gradients = load_pair(dy + start, column, hidden), values = load_pair(x + start, column, hidden), weights = load_pair(w, column, hidden);
            gradients.x = r * (gradients.x * weights.x - values.x * shift);
            gradients.y = r * (gradients.y * weights.y - values.y * shift);
            if (accumulate) {
                values = pair_within(dx + start, column, hidden);
                gradients.x += values.x;
                gradients.y += values.y;
            }
            store_pair(dx + start, column, hidden, gradients);
        }
    }
    // All sums are complete; a thread writes those of others.
    __syncthreads();
    for (int column = threadIdx.x; column < hidden; column += blockDim.x) partials[i64(blockIdx.x) * hidden + column] = sum_of(column);
}
EXPORT_KERNEL(rmsnorm_backward_any)

KERNEL(rmsnorm_weight_gradient, 256, 1)(const float* partials, float* dw, int blocks, int hidden, int accumulate) {
    SHARED(float, sums, 256);
    int lane = threadIdx.x & 31, warp = threadIdx.x >> 5, column = int(blockIdx.x) * 32 + lane;
    float sum = 0;
    if (column < hidden) {
#pragma unroll 4
        for (int b = warp; b < blocks; b += 8) sum += partials[i64(b) * hidden + column];
    }
    sums[threadIdx.x] = sum;
    // The sums of all warps are there.
    __syncthreads();
    if (warp != 0 || column >= hidden) return;
#pragma unroll
    for (int w = 1; w < 8; w++) sum += sums[w * 32 + lane];
    dw[column] = accumulate ? dw[column] + sum : sum;
}
EXPORT_KERNEL(rmsnorm_weight_gradient)
