// What the attention kernels share: tiles of head features in shared memory and fragments of them.
// Heads are padded to D features (a multiple of 16) with zeros, once: nothing is ever written there again. A tile row takes
// D + 8 elements, so that the 8 rows that ldmatrix reads at once fall into different banks.
#pragma once
#include "tensor_core.h"

template <int D> struct HeadTile {
    static constexpr int PitchBytes = (D + 8) * 2;
    DEVICE_MEMBER static constexpr int bytes(int rows) { return rows * PitchBytes; }
};

/// How a block of `Threads` threads fills tiles from rows of a head, and pads them. A thread always has the same 8 features. Aligned:
/// heads are a multiple of 8 features long and start at multiples of 16 bytes; they come by cp.async, others through registers.
template <int D, int Threads, bool Aligned> struct HeadLoader {
    static constexpr int Lanes = D > 64 ? 16 : D > 32 ? 8 : D / 8; // per row; some idle for D = 48 and 80
    static constexpr int Rows = Threads / Lanes;                   // at once
    int row, column, valid, target;

    DEVICE_MEMBER void start(int features) {
        row = int(threadIdx.x) / Lanes;
        column = int(threadIdx.x) % Lanes * 8;
        valid = max(0, min(8, features - column));
        target = row * HeadTile<D>::PitchBytes + column * 2;
    }

    /// Zeros where no head has features, in `rows` rows.
    DEVICE_MEMBER void pad(SharedAddress tiles, int rows) const {
        if (column >= D || valid > 0) return;
        for (int i = row; i < rows; i += Rows) store_shared(tiles + i * HeadTile<D>::PitchBytes + column * 2, make_uint4(0, 0, 0, 0));
    }

    /// `Count` rows from `first` on; those behind `last` repeat it. `source`: row 0; `stride`: bytes from row to row.
    template <int Count> DEVICE_MEMBER void load(SharedAddress tile, const bf16* source, int first, int last, int stride) const {
        constexpr int Turns = (Count + Rows - 1) / Rows;
        if (valid == 0 || (Count % Rows != 0 && row >= Count)) return;
        const unsigned char* from = reinterpret_cast<const unsigned char*>(source + column);
        first += row;
        if (Aligned) {
#pragma unroll
            for (int i = 0; i < Turns; i++) async_copy16(tile + target + i * HeadTile<D>::bytes(Rows), from + i64(min(first + i * Rows, last)) * stride);
        } else {
#pragma unroll 2
            for (int i = 0; i < Turns; i++) store_shared(tile + target + i * HeadTile<D>::bytes(Rows), load16(from + i64(min(first + i * Rows, last)) * stride, valid * 2));
        }
    }
};

/// Fragments of tiles: where a lane's rows lie; all else is a constant distance.
template <int D> struct HeadFragments {
    int along, across;

    DEVICE_MEMBER void start() {
        int lane = threadIdx.x & 31;
        along = kept((lane & 15) * HeadTile<D>::PitchBytes + (lane >> 4) * 16);
        across = kept(((lane & 7) + (lane >> 4) * 8) * HeadTile<D>::PitchBytes + (lane >> 3 & 1) * 16);
    }
    /// A fragments: 16 rows from the tile's first, features 16 k ...
    DEVICE_MEMBER void rows_as_a(u32 (&fragments)[4], SharedAddress tile, int k) const { load_fragments(fragments, tile + along + k * 32); }
    /// B fragments of the transposed tile: columns = 16 rows from `row`, K = features 16 k ...; (0, 1) first 8 columns.
    DEVICE_MEMBER void rows_as_columns(u32 (&fragments)[4], SharedAddress tile, int row, int k) const {
        load_fragments(fragments, tile + across + row * HeadTile<D>::PitchBytes + k * 32);
    }
    /// B fragments of the tile itself: K = 16 rows from `row`, columns = features 16 n ...; (0, 1) first 8 columns.
    DEVICE_MEMBER void rows_as_depth(u32 (&fragments)[4], SharedAddress tile, int row, int n) const {
        load_fragments_transposed(fragments, tile + along + row * HeadTile<D>::PitchBytes + n * 32);
    }

    /// S[16, 8 Count] = the first 16 rows of `a` times all rows of `b`, over D features.
    template <int Count> DEVICE_MEMBER void multiply_rows(float (&sums)[Count][4], SharedAddress a, SharedAddress b) const {
#pragma unroll
        for (int i = 0; i < Count; i++) sums[i][0] = sums[i][1] = sums[i][2] = sums[i][3] = 0.0f;
#pragma unroll
        for (int k = 0; k < D / 16; k++) {
            u32 fragments_a[4], fragments_b[4];
            rows_as_a(fragments_a, a, k);
#pragma unroll
            for (int j = 0; j < Count / 2; j++) {
                rows_as_columns(fragments_b, b, j * 16, k);
                multiply_add(sums[2 * j], fragments_a, fragments_b[0], fragments_b[1]);
                multiply_add(sums[2 * j + 1], fragments_a, fragments_b[2], fragments_b[3]);
            }
        }
    }

    /// sums[16, D] += values[16, 8 Count] times the 8 Count rows of `b`. Accumulators of two neighbouring 16 x 8 tiles become A
    /// fragments: the product's layout is the operand's.
    template <int Count> DEVICE_MEMBER void accumulate_rows(float (&sums)[D / 8][4], const float (&values)[Count][4], SharedAddress b) const {
#pragma unroll
        for (int j = 0; j < Count / 2; j++) {
            u32 fragments_a[4] = {
                pack_bf16(values[2 * j][0], values[2 * j][1]), pack_bf16(values[2 * j][2], values[2 * j][3]),
                pack_bf16(values[2 * j + 1][0], values[2 * j + 1][1]), pack_bf16(values[2 * j + 1][2], values[2 * j + 1][3])};
            u32 fragments_b[4];
#pragma unroll
            for (int n = 0; n < D / 16; n++) {
                rows_as_depth(fragments_b, b, j * 16, n);
                multiply_add(sums[2 * n], fragments_a, fragments_b[0], fragments_b[1]);
                multiply_add(sums[2 * n + 1], fragments_a, fragments_b[2], fragments_b[3]);
            }
        }
    }
};

template <int Count> DEVICE void clear(float (&values)[Count][4]) {
#pragma unroll
    for (int i = 0; i < Count; i++) values[i][0] = values[i][1] = values[i][2] = values[i][3] = 0.0f;
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
