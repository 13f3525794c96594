// RMSNorm: y = x r w, r = 1 / sqrt(mean(x²) + epsilon) per row; x, y [N, H] bf16, w [H] float, r [N] float.
//
// rmsnorm_forward: one block of 256 threads per row, 8 features per thread and turn; y may be x.
// rmsnorm_backward: with g = dy w, dx (+)= r (g - x r² mean(g x)); dx may be dy when not accumulated. Each block takes
//   rows b, b + grid, ... and leaves dw_b = sum of dy x r over them in partials [grid, H]. Dynamic shared memory: 2080 floats
//   per turn of 2048 features: feature i of each thread in a row of 260, so that neither threads nor features meet in a bank.
// rmsnorm_weight_gradient: dw (+)= sum of the partial rows, ascending; one thread per feature.
// Sums: per thread ascending, then butterfly over the block (device.h). `vector`: H is a multiple of 8, bases aligned.
#include "device.h"

/// Features from a column on that a thread takes: rows of vectors have no others.
DEVICE int features_from(int column, int hidden, int vector) { return vector ? 8 : hidden - column; }

KERNEL(rmsnorm_forward, 256, 8)(const bf16* x, const float* w, bf16* y, float* inverse_rms, int hidden, float epsilon, int vector) {
    SHARED(float, partial, 32);
    const bf16* row = x + i64(blockIdx.x) * hidden;
    float values[8], sum = 0;
#pragma unroll 1
    for (int column = threadIdx.x * 8; column < hidden; column += blockDim.x * 8) {
        load8(row + column, features_from(column, hidden, vector), vector, values);
#pragma unroll
        for (int i = 0; i < 8; i++) sum = __fmaf_rn(values[i], values[i], sum);
    }
    float r = 1.0f / __fsqrt_rn(block_sum(sum, partial) / float(hidden) + epsilon);
    if (threadIdx.x == 0) inverse_rms[blockIdx.x] = r;
#pragma unroll 1
    for (int column = threadIdx.x * 8; column < hidden; column += blockDim.x * 8) {
        float weights[8];
        load8(row + column, features_from(column, hidden, vector), vector, values);
        load8(w + column, features_from(column, hidden, vector), vector, weights);
#pragma unroll
        for (int i = 0; i < 8; i++) values[i] = values[i] * r * weights[i];
        store8(y + i64(blockIdx.x) * hidden + column, features_from(column, hidden, vector), vector, values);
    }
}
EXPORT_KERNEL(rmsnorm_forward)

constexpr int TurnFeatures = 2048, FeaturePitch = 260, TurnPlaces = 8 * FeaturePitch;

KERNEL(rmsnorm_backward, 256, 3)
(const bf16* dy, const bf16* x, const float* w, const float* inverse_rms, bf16* dx, float* partials, int rows, int hidden, int accumulate, int vector) {
    SHARED(float, partial, 32);
    DYNAMIC_SHARED(float, weight_sums);
    for (int at = threadIdx.x; at < (hidden + TurnFeatures - 1) / TurnFeatures * TurnPlaces; at += blockDim.x) weight_sums[at] = 0;
    // Rows of zeros are written by other threads than those that add to them.
    __syncthreads();
    for (int row = blockIdx.x; row < rows; row += gridDim.x) {
        i64 start = i64(row) * hidden;
        float r = inverse_rms[row], dot = 0, gradients[8], values[8], weights[8];
        for (int column = threadIdx.x * 8; column < hidden; column += blockDim.x * 8) {
            load8(dy + start + column, features_from(column, hidden, vector), vector, gradients);
            load8(x + start + column, features_from(column, hidden, vector), vector, values);
            load8(w + column, features_from(column, hidden, vector), vector, weights);
            float* sums = weight_sums + column / TurnFeatures * TurnPlaces + threadIdx.x;
#pragma unroll
            for (int i = 0; i < 8; i++) {
                dot = __fmaf_rn(gradients[i] * weights[i], values[i], dot);
                sums[i * FeaturePitch] = __fmaf_rn(gradients[i], values[i] * r, sums[i * FeaturePitch]);
            }
        }
        float shift = block_sum(dot, partial) / float(hidden) * r * r;
        for (int column = threadIdx.x * 8; column < hidden; column += blockDim.x * 8) {
            load8(dy + start + column, features_from(column, hidden, vector), vector, gradients);
            load8(x + start + column, features_from(column, hidden, vector), vector, values);
            load8(w + column, features_from(column, hidden, vector), vector, weights);
#pragma unroll
            for (int i = 0; i < 8; i++) gradients[i] = r * (gradients[i] * weights[i] - values[i] * shift);
            if (accumulate) {
                load8(dx + start + column, features_from(column, hidden, vector), vector, values);
#pragma unroll
                for (int i = 0; i < 8; i++) gradients[i] += values[i];
            }
            store8(dx + start + column, features_from(column, hidden, vector), vector, gradients);
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

KERNEL(rmsnorm_weight_gradient, 128, 1)(const float* partials, float* dw, int blocks, int hidden, int accumulate) {
    int column = blockIdx.x * blockDim.x + threadIdx.x;
    if (column >= hidden) return;
    float sum = 0;
    for (int b = 0; b < blocks; b++) sum += partials[i64(b) * hidden + column];
    dw[column] = accumulate ? dw[column] + sum : sum;
}
EXPORT_KERNEL(rmsnorm_weight_gradient)
