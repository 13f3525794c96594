// y = x Wᵀ (+ addend): x [N, C] bf16, W [O, C] as INT8 group codes, bf16 or float, y and addend [N, O] bf16.
// Both operands are k-major (K = C). Tiles, stages, shared memory, summation order: gemm.h.
// Grid: ceil(N / Tile) * ceil(O / Tile) blocks of 2 Tile threads. "any": rows of x and W of any alignment; without it they are
// 16-byte aligned. `addend` may be y, or null.
#include "gemm.h"

template <int Tile, bool Aligned, class Weight, class View>
DEVICE void forward(const bf16* x, const View& view, bf16* y, const bf16* addend, int tokens, int out_features, int in_features) {
    int row_tile, column_tile;
    tile_of_block((tokens + Tile - 1) / Tile, (out_features + Tile - 1) / Tile, row_tile, column_tile);
    typename Bf16Operand<Aligned, true, Tile>::Type input;
    Weight weight;
    input.start({x, tokens, in_features}, row_tile * Tile);
    weight.start(view, column_tile * Tile);
    multiply_tile<Tile, true, true>(input, weight, in_features, row_tile * Tile, column_tile * Tile, Destination<bf16, false, false>{y, addend, tokens, out_features});
}

#define FORWARD_CODES(name, Tile, Aligned)                                                                                   \
    KERNEL(name, 2 * Tile, blocks_per_processor(Tile, false))                                                                \
    (const bf16* x, const u8* codes, const bf16* scales, const u8* zeros, bf16* y, const bf16* addend,                       \
        int tokens, int out_features, int in_features, int groups, int group_shift) {                                        \
        forward<Tile, Aligned, CodesOperand<true, Tile, Aligned>>(                                                            \
            x, CodesView{codes, scales, zeros, out_features, in_features, groups, group_shift}, y, addend, tokens, out_features, in_features); \
    }                                                                                                                         \
    EXPORT_KERNEL(name)

#define FORWARD_DENSE(name, Tile, Aligned, T, Operand)                                                                        \
    KERNEL(name, 2 * Tile, blocks_per_processor(Tile, Aligned))                                                               \
    (const bf16* x, const T* values, bf16* y, const bf16* addend,                                                             \
        int tokens, int out_features, int in_features) {                                                                      \
        forward<Tile, Aligned, Operand<true, Tile>>(                                                                          \
            x, MatrixView<T>{values, out_features, in_features}, y, addend, tokens, out_features, in_features);               \
    }                                                                                                                         \
    EXPORT_KERNEL(name)

FORWARD_CODES(linear_forward_i8_128, 128, true)
FORWARD_CODES(linear_forward_i8_64, 64, true)
FORWARD_CODES(linear_forward_i8_128_any, 128, false)
FORWARD_CODES(linear_forward_i8_64_any, 64, false)
FORWARD_DENSE(linear_forward_bf16_128, 128, true, bf16, AsyncOperand)
FORWARD_DENSE(linear_forward_bf16_64, 64, true, bf16, AsyncOperand)
FORWARD_DENSE(linear_forward_bf16_128_any, 128, false, bf16, StagedOperand)
FORWARD_DENSE(linear_forward_bf16_64_any, 64, false, bf16, StagedOperand)
FORWARD_DENSE(linear_forward_f32_64_any, 64, false, float, FloatOperand)
