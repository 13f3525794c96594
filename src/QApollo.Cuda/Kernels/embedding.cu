// Embedding table lookup and its gradient. Each in two forms: for vectors (H a multiple of 8, bases 16-byte aligned), 8 features per thread and
// turn; and for rows of any length at any address ("any"), two features (row_pairs.h).
//
// embedding_forward_*: output[n] = table[tokens[n]]; table [V, H] as INT8 codes, bf16 or float; output [N, H] bf16.
//   One block of 128 threads per position.
// embedding_backward_*: gradient[token - first_row] += sum of dy over the token's positions, ascending; dy [N, H] bf16,
//   gradient [rows, H] float or bf16. One block of 128 threads per distinct token: no atomics, one order of summation.
// No shared memory.
#include "row_pairs.h"

KERNEL(embedding_forward_i8, 128, 1)
(const u8* codes, const bf16* scales, const u8* zeros, const int* tokens, bf16* output, int hidden, int groups, int group_shift) {
    i64 row = tokens[blockIdx.x];
#pragma unroll 1
    for (int column = threadIdx.x * 8; column < hidden; column += blockDim.x * 8) {
        uint2 packed = *reinterpret_cast<const uint2*>(codes + row * hidden + column);
        // 8 columns from a multiple of 8 lie in one group.
        i64 group = row * groups + (column >> group_shift);
        float scale = to_float(scales[group]), zero = float(zeros[group]), values[8];
#pragma unroll
        for (int i = 0; i < 8; i++) values[i] = (float((i < 4 ? packed.x : packed.y) >> (i % 4 * 8) & 255) - zero) * scale;
        store8(output + i64(blockIdx.x) * hidden + column, values);
    }
}
EXPORT_KERNEL(embedding_forward_i8)

KERNEL(embedding_forward_i8_any, 128, 1)
(const u8* codes, const bf16* scales, const u8* zeros, const int* tokens, bf16* output, int hidden, int groups, int group_shift) {
    i64 row = tokens[blockIdx.x];
    bf16* target = output + i64(blockIdx.x) * hidden;
    const bf16* row_scales = scales + row * groups;
    const u8* row_zeros = zeros + row * groups;
#pragma unroll 1
    for (int first = first_column(target, threadIdx.x >> 5); first < hidden; first += blockDim.x * 2) {
        int column = first + int(threadIdx.x & 31) * 2;
        float2 values = load_pair(codes + row * hidden, column, hidden);
        int group = max(column, 0) >> group_shift, next = min(column + 1, hidden - 1) >> group_shift;
        if (column >= hidden) continue;
        values.x = (values.x - float(row_zeros[group])) * to_float(row_scales[group]);
        values.y = (values.y - float(row_zeros[next])) * to_float(row_scales[next]);
        store_pair(target, column, hidden, values);
    }
}
EXPORT_KERNEL(embedding_forward_i8_any)

template <class T> DEVICE void forward_dense(const T* table, const int* tokens, bf16* output, int hidden) {
    i64 row = tokens[blockIdx.x];
#pragma unroll 1
    for (int column = threadIdx.x * 8; column < hidden; column += blockDim.x * 8) {
        float values[8];
        load8(table + row * hidden + column, values);
        store8(output + i64(blockIdx.x) * hidden + column, values);
    }
}

template <class T> DEVICE void forward_dense_any(const T* table, const int* tokens, bf16* output, int hidden) {
    const T* row = table + i64(tokens[blockIdx.x]) * hidden;
    bf16* target = output + i64(blockIdx.x) * hidden;
#pragma unroll 1
    for (int first = first_column(target, threadIdx.x >> 5); first < hidden; first += blockDim.x * 2) {
        int column = first + int(threadIdx.x & 31) * 2;
        store_pair(target, column, hidden, load_pair(row, column, hidden));
    }
}

KERNEL(embedding_forward_bf16, 128, 1)(const bf16* table, const int* tokens, bf16* output, int hidden) {
    forward_dense(table, tokens, output, hidden);
}
EXPORT_KERNEL(embedding_forward_bf16)
KERNEL(embedding_forward_bf16_any, 128, 1)(const bf16* table, const int* tokens, bf16* output, int hidden) {
    forward_dense_any(table, tokens, output, hidden);
}
EXPORT_KERNEL(embedding_forward_bf16_any)

KERNEL(embedding_forward_f32, 128, 1)(const float* table, const int* tokens, bf16* output, int hidden) {
    forward_dense(table, tokens, output, hidden);
}
EXPORT_KERNEL(embedding_forward_f32)
KERNEL(embedding_forward_f32_any, 128, 1)(const float* table, const int* tokens, bf16* output, int hidden) {
    forward_dense_any(table, tokens, output, hidden);
}
EXPORT_KERNEL(embedding_forward_f32_any)

template <class T>
DEVICE void backward(const bf16* dy, const int* tokens, const int* starts, const int* positions, T* gradient, int first, int first_row, int hidden) {
    int entry = first + int(blockIdx.x), begin = starts[entry], end = starts[entry + 1];
    T* target = gradient + i64(tokens[entry] - first_row) * hidden;
#pragma unroll 1
    for (int column = threadIdx.x * 8; column < hidden; column += blockDim.x * 8) {
        float sums[8] = {0, 0, 0, 0, 0, 0, 0, 0}, values[8];
        int p = begin;
#pragma unroll 1
        do {
            load8(dy + i64(positions[p]) * hidden + column, values);
#pragma unroll
            for (int i = 0; i < 8; i++) sums[i] += values[i];
        } while (++p < end); // a token that is there has a position
        load8(target + column, values);
#pragma unroll
        for (int i = 0; i < 8; i++) values[i] += sums[i];
        store8(target + column, values);
    }
}

template <class T>
DEVICE void backward_any(const bf16* dy, const int* tokens, const int* starts, const int* positions, T* gradient, int first_entry, int first_row, int hidden) {
    int entry = first_entry + int(blockIdx.x), begin = starts[entry], end = starts[entry + 1];
    T* target = gradient + i64(tokens[entry] - first_row) * hidden;
#pragma unroll 1
    for (int first = first_column(target, threadIdx.x >> 5); first < hidden; first += blockDim.x * 2) {
        int column = first + int(threadIdx.x & 31) * 2;
        float2 sums = make_float2(0, 0);
        int p = begin;
#pragma unroll 1
        do {
            float2 values = load_pair(dy + i64(positions[p]) * hidden, column, hidden);
            sums.x += values.x;
            sums.y += values.y;
        } while (++p < end);
        float2 values = pair_within(target, column, hidden);
        store_pair(target, column, hidden, make_float2(values.x + sums.x, values.y + sums.y));
    }
}

KERNEL(embedding_backward_f32, 128, 1)
(const bf16* dy, const int* tokens, const int* starts, const int* positions, float* gradient, int first, int first_row, int hidden) {
    backward(dy, tokens, starts, positions, gradient, first, first_row, hidden);
}
EXPORT_KERNEL(embedding_backward_f32)
KERNEL(embedding_backward_f32_any, 128, 1)
(const bf16* dy, const int* tokens, const int* starts, const int* positions, float* gradient, int first, int first_row, int hidden) {
    backward_any(dy, tokens, starts, positions, gradient, first, first_row, hidden);
}
EXPORT_KERNEL(embedding_backward_f32_any)

KERNEL(embedding_backward_bf16, 128, 1)
(const bf16* dy, const int* tokens, const int* starts, const int* positions, bf16* gradient, int first, int first_row, int hidden) {
    backward(dy, tokens, starts, positions, gradient, first, first_row, hidden);
}
EXPORT_KERNEL(embedding_backward_bf16)
KERNEL(embedding_backward_bf16_any, 128, 1)
(const bf16* dy, const int* tokens, const int* starts, const int* positions, bf16* gradient, int first, int first_row, int hidden) {
    backward_any(dy, tokens, starts, positions, gradient, first, first_row, hidden);
}
EXPORT_KERNEL(embedding_backward_bf16_any)
