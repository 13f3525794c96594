// delta = rowsum(dO O) per row and head, of the gradient of attention (attention_backward.h): output, gradient [rows, heads *
// features] bf16, delta [heads, rows] float. A warp per row and head, 8 warps a block.
#include "device.h"

KERNEL(attention_delta, 256, 4)(const bf16* output, const bf16* gradient, float* delta, int rows, int heads, int features) {
    i64 item = i64(blockIdx.x) * 8 + (threadIdx.x >> 5);
    if (item >= i64(rows) * heads) return;
    i64 row = item / heads, head = item % heads;
    const u32* o = reinterpret_cast<const u32*>(output + item * features);
    const u32* g = reinterpret_cast<const u32*>(gradient + item * features);
    float sum = 0;
#pragma unroll 1
    for (int pair = threadIdx.x & 31; pair < features / 2; pair += 32) {
        u32 a = o[pair], b = g[pair];
        sum = __fmaf_rn(low_float(a), low_float(b), sum);
        sum = __fmaf_rn(high_float(a), high_float(b), sum);
    }
    sum = warp_reduce<32>(sum, Add());
    if ((threadIdx.x & 31) == 0) delta[head * rows + row] = sum;
}
EXPORT_KERNEL(attention_delta)
