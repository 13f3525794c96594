// Softmax cross-entropy over the vocabulary; logits [n, V] bf16, labels [n] (negative: ignored), log_sum_exp [n] float.
//
// cross_entropy_forward: per row log_sum_exp = log sum exp(logits), loss = log_sum_exp - logits[label], 0 if ignored.
//   One block of 256 threads per row and one pass: each thread keeps a running maximum and the sum relative to it.
// cross_entropy_backward: in place, logits = scale (exp(logit - log_sum_exp) - [column + first_column is the label]), 0 in
//   ignored rows; logits [n, columns]. Each thread 8 columns.
// `vector`: the row length is a multiple of 8 and the base 16-byte aligned.
#include "device.h"

KERNEL(cross_entropy_forward, 256, 2)(const bf16* logits, const int* labels, float* log_sum_exp, float* losses, int vocabulary, int vector) {
    SHARED(float, partial, 32);
    const bf16* row = logits + i64(blockIdx.x) * vocabulary;
    float most = -INFINITY, sum = 0, values[8];
    for (int column = threadIdx.x * 8; column < vocabulary; column += blockDim.x * 8) {
        int count = min(8, vocabulary - column);
        load8(row + column, count, vector, values);
        float chunk_most = most;
#pragma unroll
        for (int i = 0; i < 8; i++) if (i < count) chunk_most = fmaxf(chunk_most, values[i]);
        sum = chunk_most == most ? sum : sum * expf(most - chunk_most);
        most = chunk_most;
        // As long as nothing but -infinity (or NaN, which fmaxf passes over) was seen, -inf - -inf must not make a NaN.
        float reference = most == -INFINITY ? 0.0f : most;
#pragma unroll
        for (int i = 0; i < 8; i++) if (i < count) sum += expf(values[i] - reference);
    }
    float row_most = block_reduce(most, partial, Max(), -INFINITY);
    float row_sum = block_sum(most == row_most ? sum : sum * expf(most - row_most), partial);
    if (threadIdx.x == 0) {
        int label = labels[blockIdx.x];
        float result = row_most + logf(row_sum);
        log_sum_exp[blockIdx.x] = result;
        losses[blockIdx.x] = label < 0 ? 0.0f : result - to_float(row[label]);
    }
}
EXPORT_KERNEL(cross_entropy_forward)

KERNEL(cross_entropy_backward, 256, 1)
(bf16* logits, const int* labels, const float* log_sum_exp, int columns, int blocks_per_row, int first_column, float scale, int vector) {
    int row = blockIdx.x / blocks_per_row;
    int column = (int(blockIdx.x % blocks_per_row) * int(blockDim.x) + int(threadIdx.x)) * 8;
    if (column >= columns) return;
    int label = labels[row], count = min(8, columns - column);
    bf16* target = logits + i64(row) * columns + column;
    float values[8], normalizer = log_sum_exp[row];
    load8(target, count, vector, values);
#pragma unroll
    for (int i = 0; i < 8; i++) {
        float probability = fast_exp2((values[i] - normalizer) * Log2E);
        values[i] = label < 0 ? 0.0f : scale * (first_column + column + i == label ? probability - 1.0f : probability);
    }
    store8(target, count, vector, values);
}
EXPORT_KERNEL(cross_entropy_backward)
