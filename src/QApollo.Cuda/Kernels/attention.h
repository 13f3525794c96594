// What the attention kernels share: tiles of head features in shared memory and fragments of them.
// Heads are padded to D features (a multiple of 16) with zeros, once: nothing is ever written there again.
#pragma once
#include "tensor_core.h"

/// Rows of D features, so that the 8 rows that ldmatrix reads at once fall into different banks: rows of 64 and 128 features take 16
/// bytes more, in others the 16-byte chunks change places with the row. All repeats every 8 rows.
template <int D> struct HeadTile {
    static constexpr bool IsPadded = D % 64 == 0;
    static constexpr int PitchBytes = (IsPadded ? D + 8 : D) * 2;
    DEVICE_MEMBER static constexpr int bytes(int rows) { return rows * PitchBytes; }
    DEVICE_MEMBER static int offset(int row, int chunk) {
        int moved = IsPadded ? 0 : D % 32 == 0 ? row >> 1 & 3 : row >> 2 & 1;
        return row * PitchBytes + ((chunk ^ moved) << 4);
    }
};

/// How a block of `Threads` threads fills tiles from rows of a head, and pads them. A thread always has the same features. Aligned: heads
/// are a multiple of 8 features long and start at multiples of 16 bytes, a thread copies 8 at once; otherwise 2: heads are even.
template <int D, int Threads, bool Aligned> struct HeadLoader {
    static constexpr int Width = Aligned ? 8 : 2, PerRow = D / Width;
    static constexpr int Lanes = Aligned ? PerRow : D == 16 ? 8 : D == 32 ? 16 : 32; // per row
    static constexpr int Copies = (PerRow + Lanes - 1) / Lanes;                      // of a lane, in a row
    static constexpr int Rows = Threads / Lanes < 8 ? Threads / Lanes : Threads / Lanes / 8 * 8; // at once
    int features, row, column;
    int target[Copies];

    DEVICE_MEMBER void start(int head_features) {
        features = head_features;
        row = int(threadIdx.x) / Lanes;
        // Threads beyond the rows have no features.
        column = row < Rows ? int(threadIdx.x) % Lanes * Width : D;
#pragma unroll
        for (int c = 0; c < Copies; c++) {
            int at = column + c * Lanes * Width;
            target[c] = HeadTile<D>::offset(row, at / 8) + at % 8 * 2;
        }
    }

    /// Zeros where no head has features, in `rows` rows from the first tile on.
    DEVICE_MEMBER void pad(SharedAddress tiles, int rows) const {
        int pairs = (D - features) / 2;
#pragma unroll 1
        for (int i = threadIdx.x; i < rows * pairs; i += Threads) {
            int at = features + i % pairs * 2;
            store_shared(tiles + HeadTile<D>::offset(i / pairs, at / 8) + at % 8 * 2, 0u);
        }
    }

    /// `Count` rows from `first` on; those behind `last` repeat it. `source`: row 0; `stride`: bytes from row to row.
    template <int Count> DEVICE_MEMBER void load(SharedAddress tile, const bf16* source, int first, int last, int stride) const {
        if (column >= features) return;
        const unsigned char* from = reinterpret_cast<const unsigned char*>(source + column);
#pragma unroll
        for (int i = 0; i < (Count + Rows - 1) / Rows; i++) {
            if (Count % Rows != 0 && row + i * Rows >= Count) break;
            const unsigned char* row_source = from + i64(min(first + row + i * Rows, last)) * stride;
            // Four rows on, chunks that move every four rows have moved.
            int moved = Rows == 4 && !HeadTile<D>::IsPadded && i % 2 ? 16 : 0;
#pragma unroll
            for (int c = 0; c < Copies; c++) {
                if (c > 0 && column + c * Lanes * Width >= features) break;
                SharedAddress to = tile + (target[c] ^ moved) + i * HeadTile<D>::bytes(Rows);
                if (Aligned) async_copy16(to, row_source + c * Lanes * Width * 2);
                else async_copy4(to, row_source + c * Lanes * Width * 2);
            }
        }
    }
};

/// Fragments of tiles: where a lane's rows lie; all else is a constant distance.
template <int D> struct HeadFragments {
    static constexpr int Bases = D == 32 ? 2 : 1; // the next 16 features lie 32 bytes on, but for the swizzle of D = 32
    int along[Bases], across[Bases];

    DEVICE_MEMBER void start() {
        int lane = threadIdx.x & 31;
#pragma unroll
        for (int b = 0; b < Bases; b++) {
            along[b] = kept(HeadTile<D>::offset(lane & 15, 2 * b + (lane >> 4)));
            across[b] = kept(HeadTile<D>::offset((lane & 7) + (lane >> 4) * 8, 2 * b + (lane >> 3 & 1)));
        }
    }
    DEVICE_MEMBER static int place(const int (&bases)[Bases], int k) { return Bases == 1 ? bases[0] + k * 32 : bases[k % Bases]; }
    /// A fragments: 16 rows from the tile's first, features 16 k ...
    DEVICE_MEMBER void rows_as_a(u32 (&fragments)[4], SharedAddress tile, int k) const { load_fragments(fragments, tile + place(along, k)); }
    /// B fragments of the transposed tile: columns = 16 rows from `row`, K = features 16 k ...; (0, 1) first 8 columns.
    DEVICE_MEMBER void rows_as_columns(u32 (&fragments)[4], SharedAddress tile, int row, int k) const {
        load_fragments(fragments, tile + place(across, k) + row * HeadTile<D>::PitchBytes);
    }
    /// B fragments of the tile itself: K = 16 rows from `row`, columns = features 16 n ...; (0, 1) first 8 columns.
    DEVICE_MEMBER void rows_as_depth(u32 (&fragments)[4], SharedAddress tile, int row, int n) const {
        load_fragments_transposed(fragments, tile + place(along, n) + row * HeadTile<D>::PitchBytes);
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

/// The same for heads at any even address, along rows: through 16 rows of shared memory that are the warp's own.
template <int D>
DEVICE void store_rows_any(unsigned char* rows, bf16* target, const float (&values)[D / 8][4], int valid, i64 stride, int features, float scale0, float scale1) {
    int lane = threadIdx.x & 31, row = lane >> 2;
    // What an earlier call left there has been read.
    __syncwarp();
#pragma unroll
    for (int n = 0; n < D / 8; n++) {
        *reinterpret_cast<u32*>(rows + HeadTile<D>::offset(row, n) + (lane & 3) * 4) = pack_bf16(values[n][0] * scale0, values[n][1] * scale0);
        *reinterpret_cast<u32*>(rows + HeadTile<D>::offset(row + 8, n) + (lane & 3) * 4) = pack_bf16(values[n][2] * scale1, values[n][3] * scale1);
    }
    __syncwarp();
#pragma unroll 1
    for (row = 0; row < min(valid, 16); row++)
#pragma unroll 1
        for (int column = lane * 2; column < features; column += 64) {
            *reinterpret_cast<u32*>(target + row * stride + column) = *reinterpret_cast<const u32*>(rows + HeadTile<D>::offset(row, column / 8) + column % 8 * 2);
        }
}
