// dx = dy W (+ dx): dy [N, O] bf16, W [O, C] as INT8 group codes, bf16 or float, dx [N, C] bf16.
// dy is k-major (K = O), W is not: its tile is transposed by ldmatrix. Tiles, stages, summation order: gemm.h.
// Grid: ceil(N / Tile) * ceil(C / Tile) blocks of 2 Tile threads. "any": rows of dy, W and dx of any alignment; without it they
// are 16-byte aligned. `addend` is dx, or null.
#include "gemm.h"

template <int Tile, bool Aligned, class Weight, class View>
DEVICE void input_gradient(const bf16* dy, const View& view, bf16* dx, const bf16* addend, int tokens, int out_features, int in_features) {
    int row_tile, column_tile;
    tile_of_block((tokens + Tile - 1) / Tile, (in_features + Tile - 1) / Tile, row_tile, column_tile);
    typename Bf16Operand<Aligned, true, Tile>::Type gradient;
    Weight weight;
    gradient.start({dy, tokens, out_features}, row_tile * Tile);
    weight.start(view, column_tile * Tile);
    multiply_tile<Tile, true, false>(gradient, weight, out_features, row_tile * Tile, column_tile * Tile, Destination<bf16, Aligned, true>{dx, addend, tokens, in_features});
}

#define INPUT_GRADIENT_CODES(name, Tile, Aligned)                                                                              \
    KERNEL(name, 2 * Tile, blocks_per_processor(Tile, false))                                                                  \
    (const bf16* dy, const u8* codes, const bf16* scales, const u8* zeros, bf16* dx, const bf16* addend,                       \
        int tokens, int out_features, int in_features, int groups, int group_shift) {                                          \
        input_gradient<Tile, Aligned, CodesOperand<false, Tile, Aligned>>(                                                     \
            dy, CodesView{codes, scales, zeros, out_features, in_features, groups, group_shift}, dx, addend, tokens, out_features, in_features); \
    }                                                                                                                          \
    EXPORT_KERNEL(name)

#define INPUT_GRADIENT_DENSE(name, Tile, Aligned, T, Operand)                                                                  \
    KERNEL(name, 2 * Tile, blocks_per_processor(Tile, Aligned))                                                                \
    (const bf16* dy, const T* values, bf16* dx, const bf16* addend,                                                            \
        int tokens, int out_features, int in_features) {                                                                       \
        input_gradient<Tile, Aligned, Operand<false, Tile>>(                                                                   \
            dy, MatrixView<T>{values, out_features, in_features}, dx, addend, tokens, out_features, in_features);              \
    }                                                                                                                          \
    EXPORT_KERNEL(name)

INPUT_GRADIENT_CODES(linear_input_gradient_i8_128, 128, true)
INPUT_GRADIENT_CODES(linear_input_gradient_i8_64, 64, true)
INPUT_GRADIENT_CODES(linear_input_gradient_i8_128_any, 128, false)
INPUT_GRADIENT_CODES(linear_input_gradient_i8_64_any, 64, false)
INPUT_GRADIENT_DENSE(linear_input_gradient_bf16_128, 128, true, bf16, AsyncOperand)
INPUT_GRADIENT_DENSE(linear_input_gradient_bf16_64, 64, true, bf16, AsyncOperand)
INPUT_GRADIENT_DENSE(linear_input_gradient_bf16_128_any, 128, false, bf16, StagedOperand)
INPUT_GRADIENT_DENSE(linear_input_gradient_bf16_64_any, 64, false, bf16, StagedOperand)
INPUT_GRADIENT_DENSE(linear_input_gradient_f32_64_any, 64, false, float, FloatOperand)
