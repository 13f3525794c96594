// Row and column scales of a gradient G [m, n] (float or bf16): what SCALE (arXiv 2506.16659), SinkGD (2502.06742) and RACS
// (2502.07752) make of it. Vectors are float.
//
// weighted_squares_rows_*: sums[i] = sum_j w[j] G[i, j]²; a warp per row, 8 elements per lane and turn, then a butterfly.
// weighted_squares_columns_*: partials[chunk, j] = sum_i w[i] G[i, j]² over the chunk's rows, ascending; a thread per 8 columns (or
//   1 where rows are not 16-byte aligned). weighted_squares_sum adds the chunks, ascending. Null weights are ones.
// channel_factors: f = scale max(x, floor)^power / d, moved towards with decay; powers 1, 1/2, -1, -1/2 as 0 to 3.
// scale_rows_*: G[i, j] *= factors[i]; a warp per row.
// limit_growth: one block; L = max(norm / (stored + 1e-8), growth) / growth with norm² = sum_j squares[j] / divisors[j].
// momentum_*: M = b M + (1 - b) G in float, G = M; what is not finite leaves M alone and becomes 0.
#include "device.h"

template <class T> DEVICE void squares_of_rows(const T* g, const float* weights, float* sums, int m, int n, int vector) {
    int row = int(blockIdx.x) * 8 + (threadIdx.x >> 5), lane = threadIdx.x & 31;
    if (row >= m) return;
    float sum = 0, values[8], w[8] = {1, 1, 1, 1, 1, 1, 1, 1};
    for (int column = lane * 8; column < n; column += 256) {
        load8(g + i64(row) * n + column, n - column, vector, values);
        if (weights) load8(weights + column, n - column, vector, w);
#pragma unroll
        for (int i = 0; i < 8; i++) sum = __fmaf_rn(__fmul_rn(values[i], w[i]), values[i], sum);
    }
    sum = warp_reduce<32>(sum, Add());
    if (lane == 0) sums[row] = sum;
}

template <class T, int Width>
DEVICE void squares_of_columns(const T* g, const float* weights, float* partials, int m, int n, int rows_per_chunk) {
    int column = (int(blockIdx.x) * int(blockDim.x) + int(threadIdx.x)) * Width;
    if (column >= n) return;
    int begin = int(blockIdx.y) * rows_per_chunk, end = min(m, begin + rows_per_chunk);
    float sums[8] = {0, 0, 0, 0, 0, 0, 0, 0}, values[8];
#pragma unroll 2
    for (int row = begin; row < end; row++) {
        load8(g + i64(row) * n + column, Width, Width == 8, values);
        float weight = weights ? weights[row] : 1.0f;
#pragma unroll
        for (int i = 0; i < Width; i++) sums[i] = __fmaf_rn(__fmul_rn(values[i], weight), values[i], sums[i]);
    }
    store8(partials + i64(blockIdx.y) * n + column, Width, Width == 8, sums);
}

KERNEL(weighted_squares_sum, 256, 1)(const float* partials, float* sums, int chunks, int n) {
    int column = blockIdx.x * blockDim.x + threadIdx.x;
    if (column >= n) return;
    float sum = 0;
    for (int chunk = 0; chunk < chunks; chunk++) sum += partials[i64(chunk) * n + column];
    sums[column] = sum;
}
EXPORT_KERNEL(weighted_squares_sum)

KERNEL(channel_factors, 256, 1)
(const float* values, const float* divisor, float* factors, int n, float scale, int power, float floor, float decay) {
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= n) return;
    float x = values[i], limited = fmaxf(x, floor), raised = limited;
    if (power == 1) raised = __fsqrt_rn(limited);
    if (power == 2) raised = 1.0f / limited;
    if (power == 3) raised = 1.0f / __fsqrt_rn(limited);
    float factor = scale * raised / (divisor ? *divisor : 1.0f);
    bool finite = is_finite(x) && is_finite(factor);
    if (decay == 0.0f) factors[i] = finite ? factor : 0.0f;
    else if (finite) factors[i] = decay * factors[i] + (1.0f - decay) * factor;
}
EXPORT_KERNEL(channel_factors)

template <class T> DEVICE void scale_each_row(T* g, const float* factors, int m, int n, int vector) {
    int row = int(blockIdx.x) * 8 + (threadIdx.x >> 5), lane = threadIdx.x & 31;
    if (row >= m) return;
    float factor = factors[row], values[8];
    for (int column = lane * 8; column < n; column += 256) {
        T* at = g + i64(row) * n + column;
        load8(at, n - column, vector, values);
#pragma unroll
        for (int i = 0; i < 8; i++) values[i] *= factor;
        store8(at, n - column, vector, values);
    }
}

KERNEL(limit_growth, 1024, 1)
(const float* squares, const float* divisors, int n, int store_only, float growth, float* limiter_norm, float* limit, u64* limited) {
    SHARED(float, partial, 32);
    float sum = 0;
    for (int i = threadIdx.x; i < n; i += blockDim.x) sum += squares[i] / divisors[i];
    sum = block_sum(sum, partial);
    if (threadIdx.x != 0) return;
    float norm = __fsqrt_rn(sum), stored = *limiter_norm, divisor = 1.0f;
    if (!is_finite(norm)) {
        *limit = __uint_as_float(0x7f800000u);
        return;
    }
    if (!store_only && stored != 0.0f) divisor = fmaxf(norm / (stored + 1e-8f), growth) / growth;
    *limit = divisor;
    *limiter_norm = norm / divisor;
    if (divisor > 1.0f) *limited += 1;
}
EXPORT_KERNEL(limit_growth)

template <class T> DEVICE void mean_of_gradients(T* g, float* moment, i64 n, int vector, float beta) {
    i64 first = (i64(blockIdx.x) * blockDim.x + threadIdx.x) * 8;
    if (first >= n) return;
    int count = n - first >= 8 ? 8 : int(n - first);
    float values[8], m[8];
    load8(g + first, count, vector, values);
    load8(moment + first, count, vector, m);
#pragma unroll
    for (int i = 0; i < 8; i++) {
        bool finite = is_finite(values[i]);
        m[i] = finite ? m[i] * beta + values[i] * (1.0f - beta) : m[i];
        values[i] = finite ? m[i] : 0.0f;
    }
    store8(moment + first, count, vector, m);
    store8(g + first, count, vector, values);
}

#define NORMALIZE(T, suffix)                                                                                                          \
    KERNEL(weighted_squares_rows_##suffix, 256, 4)(const T* g, const float* weights, float* sums, int m, int n, int vector) {         \
        squares_of_rows(g, weights, sums, m, n, vector);                                                                              \
    }                                                                                                                                 \
    EXPORT_KERNEL(weighted_squares_rows_##suffix)                                                                                     \
    KERNEL(weighted_squares_columns_##suffix, 256, 2)                                                                                 \
    (const T* g, const float* weights, float* partials, int m, int n, int rows_per_chunk) {                                           \
        squares_of_columns<T, 1>(g, weights, partials, m, n, rows_per_chunk);                                                         \
    }                                                                                                                                 \
    EXPORT_KERNEL(weighted_squares_columns_##suffix)                                                                                  \
    KERNEL(weighted_squares_columns_vector_##suffix, 256, 2)                                                                          \
    (const T* g, const float* weights, float* partials, int m, int n, int rows_per_chunk) {                                           \
        squares_of_columns<T, 8>(g, weights, partials, m, n, rows_per_chunk);                                                         \
    }                                                                                                                                 \
    EXPORT_KERNEL(weighted_squares_columns_vector_##suffix)                                                                           \
    KERNEL(scale_rows_##suffix, 256, 4)(T* g, const float* factors, int m, int n, int vector) {                                       \
        scale_each_row(g, factors, m, n, vector);                                                                                     \
    }                                                                                                                                 \
    EXPORT_KERNEL(scale_rows_##suffix)                                                                                                \
    KERNEL(momentum_##suffix, 256, 4)(T* g, float* moment, i64 n, int vector, float beta) {                                           \
        mean_of_gradients(g, moment, n, vector, beta);                                                                                \
    }                                                                                                                                 \
    EXPORT_KERNEL(momentum_##suffix)

NORMALIZE(float, f32)
NORMALIZE(bf16, bf16)
