// Biases of projections: y [N, O] bf16, bias [O] float.
//
// add_bias: y[n, o] += bias[o], in place; one thread per 8 columns of a row.
// bias_partials: partials[b, o] = sum of dy[n, o] over the rows n = b, b + blocks, ..., ascending; one thread per 8 columns,
//   blockIdx.y is b. rmsnorm_weight_gradient (rmsnorm.cu) adds the partial rows up.
// `vector`: O is a multiple of 8, bases aligned.
#include "device.h"

KERNEL(add_bias, 256, 1)(bf16* y, const float* bias, i64 items, int columns, int vector) {
    i64 item = i64(blockIdx.x) * blockDim.x + threadIdx.x;
    if (item >= items) return;
    int chunks = (columns + 7) / 8;
    i64 row = item / chunks;
    int column = int(item - row * chunks) * 8;
    float values[8], added[8];
    load8(y + row * columns + column, columns - column, vector, values);
    load8(bias + column, columns - column, vector, added);
#pragma unroll
    for (int i = 0; i < 8; i++) values[i] += added[i];
    store8(y + row * columns + column, columns - column, vector, values);
}
EXPORT_KERNEL(add_bias)

KERNEL(bias_partials, 128, 1)(const bf16* dy, float* partials, int rows, int columns, int vector) {
    int column = (blockIdx.x * blockDim.x + threadIdx.x) * 8;
    if (column >= columns) return;
    float sums[8] = {}, values[8];
    for (int row = blockIdx.y; row < rows; row += gridDim.y) {
        load8(dy + i64(row) * columns + column, columns - column, vector, values);
#pragma unroll
        for (int i = 0; i < 8; i++) sums[i] += values[i];
    }
    store8(partials + i64(blockIdx.y) * columns + column, columns - column, vector, sums);
}
EXPORT_KERNEL(bias_partials)
