// Rows of activations as INT8 codes with a scale each, and back; values [N, H] bf16, codes [N, H] u8, scales [N] float. One block of
// 256 threads per row, 8 features per thread and turn.
//
// quantize_rows: scale = largest |x| / 127, t = x (127 / largest |x|), code = 128 + floor(t) + (u < t - floor(t)), limited to 1..255;
//   u the upper 24 bits of word (first_row + n) P + h of the stream, P = H rounded up to a multiple of 8. A row below 2^-100 has
//   scale 0, one with a value that is not finite has scale NaN, and all its codes are 128.
// dequantize_rows: values = (code - 128) scale.
// `vector`: H is a multiple of 8, bases aligned.
#include "device.h"

/// Features from a column on that a thread takes: rows of vectors have no others.
DEVICE int features_from(int column, int hidden, int vector) { return vector ? 8 : hidden - column; }

DEVICE u32 row_code(float value, float inverse, u32 word) {
    float scaled = value * inverse, below = floorf(scaled);
    float code = below + (float(word >> 8) * (1.0f / 16777216.0f) < scaled - below ? 1.0f : 0.0f);
    return u32(int(fminf(fmaxf(code, -127.0f), 127.0f)) + 128);
}

KERNEL(quantize_rows, 256, 6)
(const bf16* values, u8* codes, float* scales, int hidden, u32 k0, u32 k1, u32 purpose, u32 parameter, u32 step, i64 first_row, int vector) {
    SHARED(float, partial, 32);
    i64 start = i64(blockIdx.x) * hidden;
    float v[8], largest = 0;
#pragma unroll 1
    for (int column = threadIdx.x * 8; column < hidden; column += blockDim.x * 8) {
        load8(values + start + column, features_from(column, hidden, vector), vector, v);
#pragma unroll
        for (int i = 0; i < 8; i++) largest = fmaxf(largest, is_finite(v[i]) ? fabsf(v[i]) : INFINITY);
    }
    largest = block_reduce(largest, partial, Max(), 0.0f);
    bool has_codes = largest >= 7.888609e-31f && is_finite(largest);
    float inverse = has_codes ? 127.0f / largest : 0.0f;
    if (threadIdx.x == 0) scales[blockIdx.x] = has_codes ? largest / 127.0f : is_finite(largest) ? 0.0f : __uint_as_float(0x7fffffffu);
    Stream stream{k0, k1, purpose, parameter, step};
    u64 row_block = u64(first_row + blockIdx.x) * (u64(hidden + 7) / 8 * 2);
#pragma unroll 1
    for (int column = threadIdx.x * 8; column < hidden; column += blockDim.x * 8) {
        int count = features_from(column, hidden, vector);
        load8(values + start + column, count, vector, v);
        Words4 low = stream_block(stream, row_block + column / 4), high = stream_block(stream, row_block + column / 4 + 1);
        u32 words[8] = {low.x, low.y, low.z, low.w, high.x, high.y, high.z, high.w}, packed[2] = {0, 0};
#pragma unroll
        for (int i = 0; i < 8; i++) packed[i / 4] |= row_code(has_codes ? v[i] : 0.0f, inverse, words[i]) << (8 * (i % 4));
        store_codes8(codes + start + column, count, vector, make_uint2(packed[0], packed[1]));
    }
}
EXPORT_KERNEL(quantize_rows)

KERNEL(dequantize_rows, 256, 8)(const u8* codes, const float* scales, bf16* values, int hidden, int vector) {
    i64 start = i64(blockIdx.x) * hidden;
    float scale = scales[blockIdx.x];
#pragma unroll 1
    for (int column = threadIdx.x * 8; column < hidden; column += blockDim.x * 8) {
        int count = features_from(column, hidden, vector);
        uint2 packed = load_codes8(codes + start + column, count, vector);
        float v[8];
#pragma unroll
        for (int i = 0; i < 8; i++) v[i] = (float((i < 4 ? packed.x : packed.y) >> (8 * (i % 4)) & 255) - 128.0f) * scale;
        store8(values + start + column, count, vector, v);
    }
}
EXPORT_KERNEL(dequantize_rows)
