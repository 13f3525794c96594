// Conversion, constants and normal random numbers; elementwise, 256 threads a block.
//
// convert_*: target[i] = source[i] in the other dtype, to nearest even. 8 elements per thread.
// fill_*: target[i] = value. 8 elements per thread.
// normal_*: words x0..x3 of stream block b, u = (x + 0.5) 2^-32, give elements 4b..4b+3: r0 cos(2 pi u1), r0 sin(2 pi u1),
//   r2 cos(2 pi u3), r2 sin(2 pi u3), r = deviation sqrt(-2 ln u) (Box and Muller 1958). In binary64, because ln u near
//   u = 1 needs more bits than binary32 gives u, and because every device shall draw the same values.
#include "device.h"

template <class S, class T> DEVICE void convert(const S* source, T* target, i64 n, int vector) {
    i64 first = (i64(blockIdx.x) * blockDim.x + threadIdx.x) * 8;
    if (first >= n) return;
    int count = n - first >= 8 ? 8 : int(n - first);
    float values[8];
    load8(source + first, count, vector, values);
    store8(target + first, count, vector, values);
}

KERNEL(convert_f32_bf16, 256, 1)(const float* source, bf16* target, i64 n, int vector) { convert(source, target, n, vector); }
EXPORT_KERNEL(convert_f32_bf16)
KERNEL(convert_bf16_f32, 256, 1)(const bf16* source, float* target, i64 n, int vector) { convert(source, target, n, vector); }
EXPORT_KERNEL(convert_bf16_f32)

template <class T> DEVICE void fill(T* target, float value, i64 n, int vector) {
    i64 first = (i64(blockIdx.x) * blockDim.x + threadIdx.x) * 8;
    if (first >= n) return;
    float values[8];
#pragma unroll
    for (int i = 0; i < 8; i++) values[i] = value;
    store8(target + first, n - first >= 8 ? 8 : int(n - first), vector, values);
}

KERNEL(fill_f32, 256, 1)(float* target, float value, i64 n, int vector) { fill(target, value, n, vector); }
EXPORT_KERNEL(fill_f32)
KERNEL(fill_bf16, 256, 1)(bf16* target, float value, i64 n, int vector) { fill(target, value, n, vector); }
EXPORT_KERNEL(fill_bf16)

DEVICE void normal_pair(u32 radius_word, u32 angle_word, float deviation, float& first, float& second) {
    const double unit = 1.0 / 4294967296.0;
    double radius = deviation * sqrt(-2.0 * log((radius_word + 0.5) * unit)), sine, cosine;
    sincospi(2.0 * ((angle_word + 0.5) * unit), &sine, &cosine);
    first = float(radius * cosine);
    second = float(radius * sine);
}

template <class T> DEVICE void normal(T* target, i64 n, const Stream& stream, i64 first_block, float deviation) {
    i64 block = i64(blockIdx.x) * blockDim.x + threadIdx.x;
    if (block * 4 >= n) return;
    Words4 words = stream_block(stream, u64(first_block + block));
    float values[4];
    normal_pair(words.x, words.y, deviation, values[0], values[1]);
    normal_pair(words.z, words.w, deviation, values[2], values[3]);
#pragma unroll
    for (int i = 0; i < 4; i++) if (block * 4 + i < n) target[block * 4 + i] = from_float<T>(values[i]);
}

KERNEL(normal_f32, 256, 1)(float* target, i64 n, u32 k0, u32 k1, u32 purpose, u32 parameter, u32 step, i64 first_block, float deviation) {
    normal(target, n, Stream{k0, k1, purpose, parameter, step}, first_block, deviation);
}
EXPORT_KERNEL(normal_f32)
KERNEL(normal_bf16, 256, 1)(bf16* target, i64 n, u32 k0, u32 k1, u32 purpose, u32 parameter, u32 step, i64 first_block, float deviation) {
    normal(target, n, Stream{k0, k1, purpose, parameter, step}, first_block, deviation);
}
EXPORT_KERNEL(normal_bf16)
