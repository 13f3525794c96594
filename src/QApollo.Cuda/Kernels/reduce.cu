// Sums over flat tensors in a fixed order: per thread ascending over a grid stride, butterfly over the block, then the
// blocks' partial sums by one block. The number of blocks depends on n only.
//
// sum_f32, squares_f32, squares_bf16: partials[block] = sum of (squares of) the block's elements. 256 threads.
// add_partials: total += sum of the partials. One block of 256 threads.
#include "device.h"

template <bool Squares, class T> DEVICE void block_partial(const T* values, float* partials, i64 n, int vector) {
    SHARED(float, partial, 32);
    float sum = 0, v[8];
#pragma unroll 1
    for (i64 first = (i64(blockIdx.x) * blockDim.x + threadIdx.x) * 8; first < n; first += i64(gridDim.x) * blockDim.x * 8) {
        load8(values + first, n - first >= 8 ? 8 : int(n - first), vector, v);
#pragma unroll
        for (int i = 0; i < 8; i++) sum = Squares ? __fmaf_rn(v[i], v[i], sum) : sum + v[i];
    }
    sum = block_sum(sum, partial);
    if (threadIdx.x == 0) partials[blockIdx.x] = sum;
}

KERNEL(sum_f32, 256, 4)(const float* values, float* partials, i64 n, int vector) { block_partial<false>(values, partials, n, vector); }
EXPORT_KERNEL(sum_f32)
KERNEL(squares_f32, 256, 4)(const float* values, float* partials, i64 n, int vector) { block_partial<true>(values, partials, n, vector); }
EXPORT_KERNEL(squares_f32)
KERNEL(squares_bf16, 256, 4)(const bf16* values, float* partials, i64 n, int vector) { block_partial<true>(values, partials, n, vector); }
EXPORT_KERNEL(squares_bf16)

KERNEL(add_partials, 256, 1)(const float* partials, int count, float* total) {
    SHARED(float, partial, 32);
    float sum = 0;
    for (int i = threadIdx.x; i < count; i += blockDim.x) sum += partials[i];
    sum = block_sum(sum, partial);
    if (threadIdx.x == 0) *total += sum;
}
EXPORT_KERNEL(add_partials)
