// dW = dyᵀ x (+ dW): dy [N, O] bf16, x [N, C] bf16, dW [O, C] float or bf16; summed in binary32 either way.
// Neither operand is k-major (K = N tokens): both tiles are transposed by ldmatrix. Tiles, stages, order: gemm.h.
// Grid: ceil(O / Tile) * ceil(C / Tile) blocks of 2 Tile threads. "any": rows of dy, x and dW of any alignment; without
// it they are 16-byte aligned. `addend` is dW, or null.
#include "gemm.h"

template <int Tile, bool Aligned, class T>
DEVICE void weight_gradient(const bf16* dy, const bf16* x, T* dw, const T* addend, int tokens, int out_features, int in_features) {
    int row_tile, column_tile;
    tile_of_block((out_features + Tile - 1) / Tile, (in_features + Tile - 1) / Tile, row_tile, column_tile);
    typename Bf16Operand<Aligned, false, Tile>::Type gradient, input;
    gradient.start({dy, tokens, out_features}, row_tile * Tile);
    input.start({x, tokens, in_features}, column_tile * Tile);
    multiply_tile<Tile, false, false>(gradient, input, tokens, row_tile * Tile, column_tile * Tile, Destination<T, Aligned, true>{dw, addend, out_features, in_features});
}

#define WEIGHT_GRADIENT(name, Tile, Aligned, T)                                                                               \
    KERNEL(name, 2 * Tile, blocks_per_processor(Tile, Aligned))                                                               \
    (const bf16* dy, const bf16* x, T* dw, const T* addend,                                                                   \
        int tokens, int out_features, int in_features) {                                                                      \
        weight_gradient<Tile, Aligned>(dy, x, dw, addend, tokens, out_features, in_features);                                 \
    }                                                                                                                         \
    EXPORT_KERNEL(name)

WEIGHT_GRADIENT(linear_weight_gradient_f32_128, 128, true, float)
WEIGHT_GRADIENT(linear_weight_gradient_f32_64, 64, true, float)
WEIGHT_GRADIENT(linear_weight_gradient_f32_128_any, 128, false, float)
WEIGHT_GRADIENT(linear_weight_gradient_f32_64_any, 64, false, float)
WEIGHT_GRADIENT(linear_weight_gradient_bf16_128, 128, true, bf16)
WEIGHT_GRADIENT(linear_weight_gradient_bf16_64, 64, true, bf16)
WEIGHT_GRADIENT(linear_weight_gradient_bf16_128_any, 128, false, bf16)
WEIGHT_GRADIENT(linear_weight_gradient_bf16_64_any, 64, false, bf16)
