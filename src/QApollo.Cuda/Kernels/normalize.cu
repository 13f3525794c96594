// What SCALE (arXiv 2506.16659), SinkGD (2502.06742) and RACS (2502.07752) do between a gradient and its update. X [m, n] is
// float or bf16; all vectors are float; sums in a fixed order.
//
// row_squares_*: sums[i] = sum_j w[j] X[i, j]². A warp per row, 8 elements per lane and turn, then a butterfly.
// column_squares_*: sums[j] = sum_i w[i] X[i, j]². A thread per Width columns (8, or 1 where rows are not 16-byte aligned) and a
//   chunk of rows; partials [chunks, n]; add_chunks adds them, chunks ascending. Where w is null all weights are 1.
// scale_rows_*: X[i, j] *= factors[i]. A warp per row.
// reciprocal: output = scale / x or scale / sqrt(x); 0 where x is not above 0 and finite. A thread per element.
// divide_by_squares: x /= sum of squares of d. One block.
// average_*: average = decay average + (1 - decay) x, where x is finite. 8 elements per thread, flat.
// limit_growth: c = sqrt(sum squares[i] w[i]), L = max(c / (stored + 1e-8), growth) / growth, stored = c / L, coefficients *= 1 / L,
//   limited += 1 where L > 1; c not finite: coefficients = 0 and nothing else. One block.
#include "device.h"

template <class T> DEVICE void row_squares(const T* x, const float* w, float* sums, int m, int n, int vector) {
    int row = int(blockIdx.x) * 8 + (threadIdx.x >> 5), lane = threadIdx.x & 31;
    if (row >= m) return;
    float sum = 0, values[8], weights[8];
#pragma unroll 1
    for (int column = lane * 8; column < n; column += 256) {
        int count = vector ? 8 : n - column; // rows of vectors have no others
        load8(x + i64(row) * n + column, count, vector, values);
        if (w) load8(w + column, count, vector, weights);
#pragma unroll
        for (int i = 0; i < 8; i++) sum = __fmaf_rn(w ? values[i] * weights[i] : values[i], values[i], sum);
    }
    sum = warp_reduce<32>(sum, Add());
    if (lane == 0) sums[row] = sum;
}

template <class T, int Width> DEVICE void column_squares(const T* x, const float* w, float* partials, int m, int n, int rows_per_chunk) {
    int column = (int(blockIdx.x) * int(blockDim.x) + int(threadIdx.x)) * Width;
    if (column >= n) return;
    int begin = int(blockIdx.y) * rows_per_chunk, end = min(m, begin + rows_per_chunk);
    float sums[8] = {0, 0, 0, 0, 0, 0, 0, 0}, values[8];
#pragma unroll 2
    for (int row = begin; row < end; row++) {
        load8(x + i64(row) * n + column, Width, Width == 8, values);
        float weight = w ? w[row] : 1.0f;
#pragma unroll
        for (int i = 0; i < Width; i++) sums[i] = __fmaf_rn(values[i] * weight, values[i], sums[i]);
    }
    store8(partials + i64(blockIdx.y) * n + column, Width, Width == 8, sums);
}

KERNEL(add_chunks, 256, 1)(const float* partials, float* sums, int chunks, int n) {
    int column = blockIdx.x * blockDim.x + threadIdx.x;
    if (column >= n) return;
    float sum = 0;
    for (int chunk = 0; chunk < chunks; chunk++) sum += partials[i64(chunk) * n + column];
    sums[column] = sum;
}
EXPORT_KERNEL(add_chunks)

template <class T> DEVICE void scale_rows(T* x, const float* factors, int m, int n, int vector) {
    int row = int(blockIdx.x) * 8 + (threadIdx.x >> 5), lane = threadIdx.x & 31;
    if (row >= m) return;
    float factor = factors[row], values[8];
#pragma unroll 1
    for (int column = lane * 8; column < n; column += 256) {
        T* at = x + i64(row) * n + column;
        int count = vector ? 8 : n - column;
        load8(at, count, vector, values);
#pragma unroll
        for (int i = 0; i < 8; i++) values[i] *= factor;
        store8(at, count, vector, values);
    }
}

template <class T> DEVICE void average(const T* x, float* target, i64 n, int vector, float decay, float one_minus_decay) {
    i64 first = (i64(blockIdx.x) * blockDim.x + threadIdx.x) * 8;
    if (first >= n) return;
    int count = n - first >= 8 ? 8 : int(n - first);
    float values[8], averages[8];
    load8(x + first, count, vector, values);
    load8(target + first, count, vector, averages);
#pragma unroll
    for (int i = 0; i < 8; i++) if (is_finite(values[i])) averages[i] = decay * averages[i] + one_minus_decay * values[i];
    store8(target + first, count, vector, averages);
}

#define NORMALIZE(T, suffix)                                                                                                        \
    KERNEL(row_squares_##suffix, 256, 4)(const T* x, const float* w, float* sums, int m, int n, int vector) {                       \
        row_squares(x, w, sums, m, n, vector);                                                                                      \
    }                                                                                                                               \
    EXPORT_KERNEL(row_squares_##suffix)                                                                                             \
    KERNEL(column_squares_##suffix, 256, 2)(const T* x, const float* w, float* partials, int m, int n, int rows_per_chunk) {        \
        column_squares<T, 1>(x, w, partials, m, n, rows_per_chunk);                                                                 \
    }                                                                                                                               \
    EXPORT_KERNEL(column_squares_##suffix)                                                                                          \
    KERNEL(column_squares_vector_##suffix, 256, 2)(const T* x, const float* w, float* partials, int m, int n, int rows_per_chunk) { \
        column_squares<T, 8>(x, w, partials, m, n, rows_per_chunk);                                                                 \
    }                                                                                                                               \
    EXPORT_KERNEL(column_squares_vector_##suffix)                                                                                   \
    KERNEL(scale_rows_##suffix, 256, 4)(T* x, const float* factors, int m, int n, int vector) {                                     \
        scale_rows(x, factors, m, n, vector);                                                                                       \
    }                                                                                                                               \
    EXPORT_KERNEL(scale_rows_##suffix)                                                                                              \
    KERNEL(average_##suffix, 256, 1)(const T* x, float* target, i64 n, int vector, float decay, float one_minus_decay) {            \
        average(x, target, n, vector, decay, one_minus_decay);                                                                      \
    }                                                                                                                               \
    EXPORT_KERNEL(average_##suffix)

NORMALIZE(float, f32)
NORMALIZE(bf16, bf16)

KERNEL(reciprocal, 256, 1)(const float* values, float* output, int n, int root, float scale) {
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= n) return;
    float value = values[i];
    output[i] = value > 0.0f && is_finite(value) ? scale / (root ? __fsqrt_rn(value) : value) : 0.0f;
}
EXPORT_KERNEL(reciprocal)

KERNEL(divide_by_squares, 1024, 1)(float* values, int n, const float* divisors, int m) {
    SHARED(float, partial, 32);
    float sum = 0;
    for (int i = threadIdx.x; i < m; i += blockDim.x) sum = __fmaf_rn(divisors[i], divisors[i], sum);
    sum = block_sum(sum, partial);
    for (int i = threadIdx.x; i < n; i += blockDim.x) values[i] = values[i] / sum;
}
EXPORT_KERNEL(divide_by_squares)

KERNEL(limit_growth, 1024, 1)
(const float* squares, const float* weights, int m, float* coefficients, int n, int use_limiter, int store_only, float growth,
 float* limiter_norm, u64* limited) {
    SHARED(float, partial, 32);
    SHARED(float, factor, 1);
    float sum = 0;
    for (int i = threadIdx.x; i < m; i += blockDim.x) sum = __fmaf_rn(squares[i], weights[i], sum);
    sum = block_sum(sum, partial);
    bool finite = is_finite(sum);
    if (threadIdx.x == 0) {
        float norm = __fsqrt_rn(sum), limit = 1.0f;
        if (use_limiter && finite) {
            float stored = *limiter_norm;
            if (!store_only && stored != 0.0f) limit = fmaxf(norm / (stored + 1e-8f), growth) / growth;
            *limiter_norm = norm / limit;
            if (limit > 1.0f) *limited += 1;
        }
        factor[0] = 1.0f / limit;
    }
    // Hands thread 0's factor to the block.
    __syncthreads();
    for (int i = threadIdx.x; i < n; i += blockDim.x) coefficients[i] = finite ? coefficients[i] * factor[0] : 0.0f;
}
EXPORT_KERNEL(limit_growth)
