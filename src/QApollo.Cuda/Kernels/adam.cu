// AdamW's direction in place of the gradient; g float or bf16, m and v float, all flat with n elements (adam.h).
// partials[block] = sum of g² (reduce.cu adds them up). An element that is not finite keeps its moments and gives 0.
// 256 threads, 8 elements per thread and turn of a grid stride; the number of blocks depends on n only.
#include "adam.h"

template <class T> DEVICE void direction(T* g, float* moment1, float* moment2, float* partials, i64 n, int vector, const AdamScalars& adam) {
    SHARED(float, partial, 32);
    float sum = 0, gradients[8], m[8], v[8];
    for (i64 first = (i64(blockIdx.x) * blockDim.x + threadIdx.x) * 8; first < n; first += i64(gridDim.x) * blockDim.x * 8) {
        int count = n - first >= 8 ? 8 : int(n - first);
        load8(g + first, count, vector, gradients);
        load8(moment1 + first, count, vector, m);
        load8(moment2 + first, count, vector, v);
#pragma unroll
        for (int i = 0; i < 8; i++) {
            sum = __fmaf_rn(gradients[i], gradients[i], sum);
            gradients[i] = is_finite(gradients[i]) ? adam_direction(adam, gradients[i], m[i], v[i]) : 0.0f;
        }
        store8(g + first, count, vector, gradients);
        store8(moment1 + first, count, vector, m);
        store8(moment2 + first, count, vector, v);
    }
    sum = block_sum(sum, partial);
    if (threadIdx.x == 0) partials[blockIdx.x] = sum;
}

KERNEL(adam_f32, 256, 2)
(float* g, float* moment1, float* moment2, float* partials, i64 n, int vector, ADAM_PARAMETERS) {
    direction(g, moment1, moment2, partials, n, vector, ADAM_SCALARS);
}
EXPORT_KERNEL(adam_f32)

KERNEL(adam_bf16, 256, 2)
(bf16* g, float* moment1, float* moment2, float* partials, i64 n, int vector, ADAM_PARAMETERS) {
    direction(g, moment1, moment2, partials, n, vector, ADAM_SCALARS);
}
EXPORT_KERNEL(adam_bf16)
