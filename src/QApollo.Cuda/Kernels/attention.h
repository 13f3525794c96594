// What the attention kernels share: tiles of head features in shared memory and fragments of them.
// Heads are padded to D features (a multiple of 16) with zeros. A tile row takes D + 8 elements, so that the 8 rows that
// ldmatrix reads at once fall into different banks.
#pragma once
#include "tensor_core.h"

template <int D> struct HeadTile {
    static constexpr int Pitch = D + 8;

    /// Rows [0, rows) of one head, `valid` of them inside the sequence; `stride` elements between rows in memory. With
    /// `async` (rows 16-byte aligned, features a multiple of 8) by cp.async, otherwise by plain loads and stores.
    template <int Rows, int Threads>
    DEVICE_MEMBER static void load(bf16* tile, const bf16* source, int valid, i64 stride, int features, bool async) {
#pragma unroll
        for (int first = 0; first < Rows * D / 8; first += Threads) {
            int chunk = first + int(threadIdx.x);
            if (Rows * D / 8 % Threads != 0 && chunk >= Rows * D / 8) break;
            int row = chunk / (D / 8), column = chunk % (D / 8) * 8;
            int count = row < valid ? max(0, min(8, features - column)) : 0;
            bf16* target = tile + row * Pitch + column;
            const bf16* from = count ? source + row * stride + column : source;
            if (async) async_copy16(target, from, count * 2);
            else *reinterpret_cast<uint4*>(target) = load16(from, count * 2);
        }
    }

    /// A fragments: 16 rows from `row`, features 16 k ...
    DEVICE_MEMBER static void rows_as_a(u32 (&fragments)[4], const bf16* tile, int row, int k) {
        int lane = threadIdx.x & 31;
        load_fragments(fragments, tile + (row + (lane & 15)) * Pitch + k * 16 + (lane >> 4) * 8);
    }
    /// B fragments of the transposed tile: columns = 16 rows from `row`, K = features 16 k ...; (0, 1) first 8 columns.
    DEVICE_MEMBER static void rows_as_columns(u32 (&fragments)[4], const bf16* tile, int row, int k) {
        int lane = threadIdx.x & 31;
        load_fragments(fragments, tile + (row + (lane & 7) + (lane >> 4) * 8) * Pitch + k * 16 + (lane >> 3 & 1) * 8);
    }
    /// B fragments of the tile itself: K = 16 rows from `row`, columns = features 16 n ...; (0, 1) first 8 columns.
    DEVICE_MEMBER static void rows_as_depth(u32 (&fragments)[4], const bf16* tile, int row, int n) {
        int lane = threadIdx.x & 31;
        load_fragments_transposed(fragments, tile + (row + (lane & 15)) * Pitch + n * 16 + (lane >> 4) * 8);
    }
};

/// Accumulators of two neighbouring 16 x 8 tiles become A fragments: the product's layout is the operand's.
DEVICE void pack_fragments(u32 (&fragments)[4], const float (&left)[4], const float (&right)[4]) {
    fragments[0] = pack_bf16(left[0], left[1]);
    fragments[1] = pack_bf16(left[2], left[3]);
    fragments[2] = pack_bf16(right[0], right[1]);
    fragments[3] = pack_bf16(right[2], right[3]);
}

template <int Count> DEVICE void clear(float (&values)[Count][4]) {
#pragma unroll
    for (int i = 0; i < Count; i++) values[i][0] = values[i][1] = values[i][2] = values[i][3] = 0.0f;
}

/// S[16, 8 Count] = rows of `a` from `row` times all rows of `b`, over D features.
template <int D, int Count>
DEVICE void multiply_rows(float (&sums)[Count][4], const bf16* a, int row, const bf16* b) {
    clear(sums);
#pragma unroll
    for (int k = 0; k < D / 16; k++) {
        u32 fragments_a[4], fragments_b[4];
        HeadTile<D>::rows_as_a(fragments_a, a, row, k);
#pragma unroll
        for (int j = 0; j < Count / 2; j++) {
            HeadTile<D>::rows_as_columns(fragments_b, b, j * 16, k);
            multiply_add(sums[2 * j], fragments_a, fragments_b[0], fragments_b[1]);
            multiply_add(sums[2 * j + 1], fragments_a, fragments_b[2], fragments_b[3]);
        }
    }
}

/// sums[16, D] += values[16, 8 Count] times the 8 Count rows of `b`.
template <int D, int Count>
DEVICE void accumulate_rows(float (&sums)[D / 8][4], const float (&values)[Count][4], const bf16* b) {
#pragma unroll
    for (int j = 0; j < Count / 2; j++) {
        u32 fragments_a[4], fragments_b[4];
        pack_fragments(fragments_a, values[2 * j], values[2 * j + 1]);
#pragma unroll
        for (int n = 0; n < D / 16; n++) {
            HeadTile<D>::rows_as_depth(fragments_b, b, j * 16, n);
            multiply_add(sums[2 * n], fragments_a, fragments_b[0], fragments_b[1]);
            multiply_add(sums[2 * n + 1], fragments_a, fragments_b[2], fragments_b[3]);
        }
    }
}

/// Writes a warp's 16 rows (lane / 4 and lane / 4 + 8) of D features times `scale0`, `scale1`.
template <int D>
DEVICE void store_rows(bf16* target, const float (&values)[D / 8][4], int valid, i64 stride, int features, float scale0, float scale1) {
    int row = threadIdx.x >> 2 & 7, column = (threadIdx.x & 3) * 2;
#pragma unroll
    for (int n = 0; n < D / 8; n++) {
        // Head sizes are even: a pair is inside or outside as a whole, and 4-byte aligned.
        if (n * 8 + column >= features) continue;
        if (row < valid) *reinterpret_cast<u32*>(target + row * stride + n * 8 + column) = pack_bf16(values[n][0] * scale0, values[n][1] * scale0);
        if (row + 8 < valid) *reinterpret_cast<u32*>(target + (row + 8) * stride + n * 8 + column) = pack_bf16(values[n][2] * scale1, values[n][3] * scale1);
    }
}
