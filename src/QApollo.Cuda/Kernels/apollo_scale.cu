// From the projected gradient R to the coefficients of the update (arXiv 2412.05270, algorithm 1), in three launches:
//   apollo_total: one block; gradient_squares += sum of the channels' squares, which also goes to sums[0].
//   apollo_moments_*: Adam moments and direction D of R per channel; factor s_j = |D_j| / (|R_j| + 1e-8) into coefficients
//     (channel-wise; null for tensor-wise). Each block leaves partial sums sums[4 + 3 b ..]: D², R², s_j² squares_j.
//   apollo_coefficients: one block; factor s = |D| / (|R| + 1e-8) where tensor-wise, norm c = |s G|, the norm-growth limiter
//     L = max(c / (stored + 1e-8), growth) / growth, stored = c / L, coefficients = step s / L (step = lr sqrt(scale)); limited += 1 where L > 1.
// A gradient whose sum of squares is not finite changes nothing but gradient_squares; its coefficients are 0.
// R, M, V: [channels, r] (rows) or [r, channels] (columns), as strides say. Lanes = 32: a warp per channel (rows with
// r > 1, where a channel is contiguous); Lanes = 1: a thread per channel. 256 threads; 1024 in the one-block kernels.
// Sums: ascending per thread, then butterflies; partial sums of blocks ascending per thread, then a butterfly.
#include "adam.h"

KERNEL(apollo_total, 1024, 1)(const float* squares, int channels, float* gradient_squares, float* sums) {
    SHARED(float, partial, 32);
    float sum = 0;
    for (int i = threadIdx.x; i < channels; i += blockDim.x) sum += squares[i];
    sum = block_sum(sum, partial);
    if (threadIdx.x != 0) return;
    *gradient_squares += sum;
    sums[0] = sum;
}
EXPORT_KERNEL(apollo_total)

template <int Lanes>
DEVICE void moments(const float* r, float* moment1, float* moment2, const float* squares, float* coefficients, float* sums,
                    int channels, int rank, i64 channel_stride, i64 rank_stride, const AdamScalars& adam) {
    SHARED(float, partial, 32);
    i64 item = i64(blockIdx.x) * blockDim.x + threadIdx.x, channel = item / Lanes;
    float directions = 0, projections = 0, weighted = 0;
    if (channel < channels && is_finite(sums[0])) {
#pragma unroll 1
        for (int k = int(item % Lanes); k < rank; k += Lanes) {
            i64 at = channel * channel_stride + k * rank_stride;
            float projected = r[at], m = moment1[at], v = moment2[at];
            float direction = adam_direction(adam, projected, m, v);
            moment1[at] = m;
            moment2[at] = v;
            directions = __fmaf_rn(direction, direction, directions);
            projections = __fmaf_rn(projected, projected, projections);
        }
    }
    if (coefficients) {
        // Every lane of the warp takes part: channels of a warp are all inside or all outside for Lanes = 32.
        directions = warp_reduce<Lanes>(directions, Add());
        projections = warp_reduce<Lanes>(projections, Add());
        if (channel < channels && item % Lanes == 0) {
            float factor = __fsqrt_rn(directions) / (__fsqrt_rn(projections) + 1e-8f);
            coefficients[channel] = factor;
            weighted = factor * factor * squares[channel];
        }
    }
    directions = block_sum(directions, partial);
    projections = block_sum(projections, partial);
    weighted = block_sum(weighted, partial);
    if (threadIdx.x != 0) return;
    float* target = sums + 4 + i64(blockIdx.x) * 3;
    target[0] = directions;
    target[1] = projections;
    target[2] = weighted;
}

#define APOLLO_MOMENTS(name, Lanes)                                                                                          \
    KERNEL(name, 256, 2)(const float* r, float* moment1, float* moment2, const float* squares, float* coefficients, float* sums, \
                         int channels, int rank, i64 channel_stride, i64 rank_stride,                                        \
                         ADAM_PARAMETERS) {                                         \
        moments<Lanes>(r, moment1, moment2, squares, coefficients, sums, channels, rank, channel_stride, rank_stride,        \
                       ADAM_SCALARS);                                                       \
    }                                                                                                                        \
    EXPORT_KERNEL(name)

APOLLO_MOMENTS(apollo_moments_thread, 1)
APOLLO_MOMENTS(apollo_moments_warp, 32)

KERNEL(apollo_coefficients, 1024, 1)
(const float* sums, int blocks, float* coefficients, int channels, int tensor_wise, float step, float front_scale, int use_limiter,
 int store_only, int keep_zero_norm, float growth, float* limiter_norm, u64* limited) {
    SHARED(float, partial, 32);
    SHARED(float, factor, 1);
    float directions = 0, projections = 0, weighted = 0;
    for (int b = threadIdx.x; b < blocks; b += blockDim.x) {
        directions += sums[4 + b * 3];
        projections += sums[5 + b * 3];
        weighted += sums[6 + b * 3];
    }
    directions = block_sum(directions, partial);
    projections = block_sum(projections, partial);
    weighted = block_sum(weighted, partial);
    bool finite = is_finite(sums[0]);
    if (threadIdx.x == 0) {
        float scale = __fsqrt_rn(directions) / (__fsqrt_rn(projections) + 1e-8f), limit = 1.0f;
        float norm = (tensor_wise ? scale * __fsqrt_rn(sums[0]) : __fsqrt_rn(weighted)) * front_scale;
        if (use_limiter && finite) {
            float stored = *limiter_norm;
            if (!store_only && (stored != 0.0f || keep_zero_norm)) limit = fmaxf(norm / (stored + 1e-8f), growth) / growth;
            *limiter_norm = norm / limit;
            if (limit > 1.0f) *limited += 1;
        }
        factor[0] = tensor_wise ? step / limit * scale : step / limit;
    }
    // Hands thread 0's factor to the block.
    __syncthreads();
    if (tensor_wise) {
        if (threadIdx.x == 0) coefficients[0] = finite ? factor[0] : 0.0f;
        return;
    }
    for (int i = threadIdx.x; i < channels; i += blockDim.x) coefficients[i] = finite ? coefficients[i] * factor[0] : 0.0f;
}
EXPORT_KERNEL(apollo_coefficients)
