// Rotary position embedding in place (RoFormer, arXiv 2104.09864; halves rotated against each other):
//   per head, with x1, x2 its halves: [x1 cos - x2 sin, x2 cos + x1 sin]; the inverse takes -sin.
// values [N, heads, 2 half] bf16; cosine, sine [positions, half] float; row n stands at first_position + n % length, less
// document_starts[n] unless that is null.
// One thread per pair of 8 features (rotary_vector: half is a multiple of 8, bases aligned) or per pair (rotary).
#include "device.h"

template <int Width>
DEVICE void rotate(bf16* values, const float* cosine, const float* sine, i64 items, int heads, int half, int length, int first_position, int inverse, const int* document_starts) {
    i64 item = i64(blockIdx.x) * blockDim.x + threadIdx.x;
    if (item >= items) return;
    int per_head = half / Width, feature = int(item % per_head) * Width;
    i64 head = item / per_head, row = head / heads;
    i64 angle = i64(first_position + int(row % length) - (document_starts ? document_starts[row] : 0)) * half + feature;
    bf16* first = values + head * 2 * half + feature;
    bf16* second = first + half;
    float x1[8], x2[8], c[8], s[8];
    load8(first, Width, Width == 8, x1);
    load8(second, Width, Width == 8, x2);
    load8(cosine + angle, Width, Width == 8, c);
    load8(sine + angle, Width, Width == 8, s);
#pragma unroll
    for (int i = 0; i < Width; i++) {
        float signed_sine = inverse ? -s[i] : s[i], rotated = x1[i] * c[i] - x2[i] * signed_sine;
        x2[i] = x2[i] * c[i] + x1[i] * signed_sine;
        x1[i] = rotated;
    }
    store8(first, Width, Width == 8, x1);
    store8(second, Width, Width == 8, x2);
}

KERNEL(rotary_vector, 256, 1)(bf16* values, const float* cosine, const float* sine, i64 items, int heads, int half, int length,
                              int first_position, int inverse, const int* document_starts) {
    rotate<8>(values, cosine, sine, items, heads, half, length, first_position, inverse, document_starts);
}
EXPORT_KERNEL(rotary_vector)

KERNEL(rotary, 256, 1)(bf16* values, const float* cosine, const float* sine, i64 items, int heads, int half, int length,
                       int first_position, int inverse, const int* document_starts) {
    rotate<1>(values, cosine, sine, items, heads, half, length, first_position, inverse, document_starts);
}
EXPORT_KERNEL(rotary)
