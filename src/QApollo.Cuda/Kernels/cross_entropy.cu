// Softmax cross-entropy over the vocabulary; logits [n, V] bf16, labels [n] (negative: ignored), log_sum_exp [n] float.
//
// cross_entropy_forward: per row log_sum_exp = log sum exp(logits), loss = log_sum_exp - logits[label], 0 if ignored.
//   One block of 256 threads per row and one pass: each thread keeps a running maximum and the sum relative to it.
// cross_entropy_backward: in place, logits = scale (exp(logit - log_sum_exp) - [column + first_column is the label]), 0 in
//   ignored rows; logits [n, columns]. Each thread 8 columns.
// Rows may have any length and alignment: threads take whole 16-byte words, and what a row holds of its first and last one.
#include "device.h"

/// Columns of a row in front of its first that share a 16-byte word with it.
DEVICE int columns_ahead(const bf16* row) { return int(reinterpret_cast<u64>(row) >> 1 & 7); }

/// The aligned 8 columns from `column` on; outside of the row `otherwise`.
DEVICE void load_columns(const bf16* row, int column, int columns, float otherwise, float (&values)[8]) {
    if (column >= 0 && column + 8 <= columns) {
        load8(row + column, values);
        return;
    }
#pragma unroll
    for (int i = 0; i < 8; i++) values[i] = column + i >= 0 && column + i < columns ? to_float(row[column + i]) : otherwise;
}

KERNEL(cross_entropy_forward, 256, 2)(const bf16* logits, const int* labels, float* log_sum_exp, float* losses, int vocabulary) {
    SHARED(float, partial, 32);
    const bf16* row = logits + i64(blockIdx.x) * vocabulary;
    float most = -INFINITY, sum = 0, values[8];
    for (int column = int(threadIdx.x) * 8 - columns_ahead(row); column < vocabulary; column += int(blockDim.x) * 8) {
        load_columns(row, column, vocabulary, -INFINITY, values);
        float chunk_most = most;
#pragma unroll
        for (int i = 0; i < 8; i++) chunk_most = fmaxf(chunk_most, values[i]);
        sum = chunk_most == most ? sum : sum * expf(most - chunk_most);
        most = chunk_most;
        // As long as nothing but -infinity (or NaN, which fmaxf passes over) was seen, -inf - -inf must not make a NaN.
        float reference = most == -INFINITY ? 0.0f : most;
#pragma unroll
        for (int i = 0; i < 8; i++) sum += expf(values[i] - reference);
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
(bf16* logits, const int* labels, const float* log_sum_exp, int columns, int blocks_per_row, int first_column, float scale) {
    int row = blockIdx.x / blocks_per_row;
    bf16* target = logits + i64(row) * columns;
    int column = (int(blockIdx.x % blocks_per_row) * int(blockDim.x) + int(threadIdx.x)) * 8 - columns_ahead(target);
    if (column >= columns) return;
    int label = labels[row];
    float values[8], normalizer = log_sum_exp[row];
    load_columns(target, column, columns, 0.0f, values);
#pragma unroll
    for (int i = 0; i < 8; i++) {
        float probability = fast_exp2((values[i] - normalizer) * Log2E);
        values[i] = label < 0 ? 0.0f : scale * (first_column + column + i == label ? probability - 1.0f : probability);
    }
    if (column >= 0 && column + 8 <= columns) {
        store8(target + column, values);
        return;
    }
#pragma unroll
    for (int i = 0; i < 8; i++) if (column + i >= 0 && column + i < columns) target[column + i] = to_bf16(values[i]);
}
EXPORT_KERNEL(cross_entropy_backward)
