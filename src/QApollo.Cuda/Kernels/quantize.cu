// INT8 groups from float values and back (group_grid.h); values [rows, columns] float or bf16, codes [rows, columns] u8,
// scales bf16 and zeros u8 [rows, groups].
//
// quantize: the grid of each group's range; to nearest, half to even, on the grid of codes or of residuals (0, 4 or 8 bits).
//   symmetric: zero point 128 and codes 1..255. group / 8 lanes per group, 256 threads.
// dequantize: values = (code - zero + residual / 2^bits) * scale, as float; expand: (code - zero) * scale rounded to bf16, as gemm.h does. 8 values per thread, `chunks` = ceil(columns / 8) threads per row.
// `vector`: columns is a multiple of 8 and all bases are 16-byte aligned.
#include "group_grid.h"

KERNEL(quantize, 256, 2)
(const float* values, u8* codes, u8* residuals, int bits, bf16* scales, u8* zeros, int rows, int columns, int group_size, int groups_per_row, int vector, int symmetric) {
    int lanes = group_size / 8, lane = threadIdx.x % lanes, index = blockIdx.x * (blockDim.x / lanes) + threadIdx.x / lanes;
    GroupPosition p = GroupPosition::of(index, lane, group_size, groups_per_row, rows, columns);
    float v[8], least = 0, most = 0;
    i64 at = i64(p.row) * columns + p.column;
    load8(values + at, p.count, vector, v);
#pragma unroll
    for (int i = 0; i < 8; i++) {
        least = fminf(least, v[i]);
        most = fmaxf(most, v[i]);
    }
    least = group_reduce(least, lanes, Min());
    most = group_reduce(most, lanes, Max());
    if (p.count == 0) return;
    Grid grid = grid_from_range(least, most, symmetric);
    uint2 fresh = make_uint2(0, 0), rest = make_uint2(0, 0);
#pragma unroll
    for (int i = 0; i < 8; i++) FineCode::of(rintf((v[i] / grid.scale + grid.zero) * float(1 << bits)), bits, symmetric).put(i, bits, fresh, rest);
    store_codes8(codes + at, p.count, vector, fresh);
    store_residuals8(residuals, at, p.count, bits, vector, rest);
    if (lane != 0) return;
    i64 group = i64(p.row) * groups_per_row + p.group;
    scales[group] = scale_bits(grid.scale);
    zeros[group] = u8(grid.zero);
}
EXPORT_KERNEL(quantize)

template <class T>
DEVICE void dequantize_item(const u8* codes, const u8* residuals, int bits, const bf16* scales, const u8* zeros, T* values, i64 items, int columns, int chunks, int groups_per_row, int group_shift, int vector) {
    i64 item = i64(blockIdx.x) * blockDim.x + threadIdx.x;
    if (item >= items) return;
    i64 row = item / chunks;
    int column = int(item % chunks) * 8, count = columns - column;
    uint2 packed = load_codes8(codes + row * columns + column, count, vector);
    i64 group = row * groups_per_row + (column >> group_shift);
    uint2 rest = load_residuals8(residuals, row * columns + column, count, bits, vector);
    float scale = to_float(scales[group]), zero = float(zeros[group]), unit = 1.0f / float(1 << bits), v[8];
#pragma unroll
    for (int i = 0; i < 8; i++) v[i] = (float(code_of(packed, i)) - zero + float(residual_of(rest, i, bits)) * unit) * scale;
    store8(values + row * columns + column, count, vector, v);
}

KERNEL(dequantize, 256, 2)
(const u8* codes, const u8* residuals, int bits, const bf16* scales, const u8* zeros, float* values, i64 items, int columns, int chunks,
 int groups_per_row, int group_shift, int vector) {
    dequantize_item(codes, residuals, bits, scales, zeros, values, items, columns, chunks, groups_per_row, group_shift, vector);
}
EXPORT_KERNEL(dequantize)

KERNEL(expand, 256, 2)
(const u8* codes, const bf16* scales, const u8* zeros, bf16* values, i64 items, int columns, int chunks, int groups_per_row, int group_shift, int vector) {
    dequantize_item(codes, nullptr, 0, scales, zeros, values, items, columns, chunks, groups_per_row, group_shift, vector);
}
EXPORT_KERNEL(expand)
