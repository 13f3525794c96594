// Embedding table lookup and its gradient.
//
// embedding_forward_*: output[n] = table[tokens[n]]; table [V, H] as INT8 codes, bf16 or float; output [N, H] bf16.
//   One block of 128 threads per position, 8 features per thread and turn.
// embedding_backward_*: gradient[token - first_row] += sum of dy over the token's positions, ascending; dy [N, H] bf16,
//   gradient [rows, H] float or bf16. One block of 128 threads per distinct token: no atomics, one order of summation.
// `vector`: H is a multiple of 8 and all bases are 16-byte aligned. No shared memory.
#include "device.h"

/// Features from a column on that a thread takes: rows of vectors have no others.
DEVICE int features_from(int column, int hidden, int vector) { return vector ? 8 : hidden - column; }

KERNEL(embedding_forward_i8, 128, 1)
(const u8* codes, const bf16* scales, const u8* zeros, const int* tokens, bf16* output, int hidden, int groups, int group_shift, int vector) {
    i64 row = tokens[blockIdx.x];
#pragma unroll 1
    for (int column = threadIdx.x * 8; column < hidden; column += blockDim.x * 8) {
        int count = features_from(column, hidden, vector);
        uint2 packed = load_codes8(codes + row * hidden + column, count, vector);
        // 8 columns from a multiple of 8 lie in one group.
        i64 group = row * groups + (column >> group_shift);
        float scale = to_float(scales[group]), zero = float(zeros[group]), values[8];
#pragma unroll
        for (int i = 0; i < 8; i++) values[i] = (float((i < 4 ? packed.x : packed.y) >> (i % 4 * 8) & 255) - zero) * scale;
        store8(output + i64(blockIdx.x) * hidden + column, count, vector, values);
    }
}
EXPORT_KERNEL(embedding_forward_i8)

template <class T> DEVICE void forward_dense(const T* table, const int* tokens, bf16* output, int hidden, int vector) {
    i64 row = tokens[blockIdx.x];
#pragma unroll 1
    for (int column = threadIdx.x * 8; column < hidden; column += blockDim.x * 8) {
        float values[8];
        load8(table + row * hidden + column, features_from(column, hidden, vector), vector, values);
        store8(output + i64(blockIdx.x) * hidden + column, features_from(column, hidden, vector), vector, values);
    }
}

KERNEL(embedding_forward_bf16, 128, 1)(const bf16* table, const int* tokens, bf16* output, int hidden, int vector) {
    forward_dense(table, tokens, output, hidden, vector);
}
EXPORT_KERNEL(embedding_forward_bf16)

KERNEL(embedding_forward_f32, 128, 1)(const float* table, const int* tokens, bf16* output, int hidden, int vector) {
    forward_dense(table, tokens, output, hidden, vector);
}
EXPORT_KERNEL(embedding_forward_f32)

template <class T>
DEVICE void backward(const bf16* dy, const int* tokens, const int* starts, const int* positions, T* gradient, int first, int first_row, int hidden, int vector) {
    int entry = first + int(blockIdx.x), begin = starts[entry], end = starts[entry + 1];
    T* target = gradient + i64(tokens[entry] - first_row) * hidden;
#pragma unroll 1
    for (int column = threadIdx.x * 8; column < hidden; column += blockDim.x * 8) {
        int count = features_from(column, hidden, vector);
        float sums[8] = {0, 0, 0, 0, 0, 0, 0, 0}, values[8];
#pragma unroll 1
        for (int p = begin; p < end; p++) {
            load8(dy + i64(positions[p]) * hidden + column, count, vector, values);
#pragma unroll
            for (int i = 0; i < 8; i++) sums[i] += values[i];
        }
        load8(target + column, count, vector, values);
#pragma unroll
        for (int i = 0; i < 8; i++) values[i] += sums[i];
        store8(target + column, count, vector, values);
    }
}

KERNEL(embedding_backward_f32, 128, 1)
(const bf16* dy, const int* tokens, const int* starts, const int* positions, float* gradient, int first, int first_row, int hidden, int vector) {
    backward(dy, tokens, starts, positions, gradient, first, first_row, hidden, vector);
}
EXPORT_KERNEL(embedding_backward_f32)

KERNEL(embedding_backward_bf16, 128, 1)
(const bf16* dy, const int* tokens, const int* starts, const int* positions, bf16* gradient, int first, int first_row, int hidden, int vector) {
    backward(dy, tokens, starts, positions, gradient, first, first_row, hidden, vector);
}
EXPORT_KERNEL(embedding_backward_bf16)
