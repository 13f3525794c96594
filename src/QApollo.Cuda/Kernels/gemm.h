// Tensor-core matrix product C[M, N] = A[M, K] B[K, N], bf16 operands, binary32 sums, for the three layouts of training.
//
// Blocks: a tile of Tile x Tile outputs (128 with 256 threads, or 64 with 128), K in steps of 32 through three stages
//   of shared memory. Warps: 2 along M, Tile / 32 along N; each holds Tile/2 x 32 outputs in mma.m16n8k16 fragments.
// Shared memory: 3 * 2 * Tile * 32 bf16 (48 KiB or 24 KiB), in 16-byte chunks XOR-swizzled so that ldmatrix has no bank
//   conflicts. An operand that is stored with K along its rows ("k-major") keeps that form: [Tile][32]; the other one
//   keeps [32][Tile] and is transposed by ldmatrix.
// Operands: bf16 whose rows are 16-byte aligned comes by cp.async; everything else (bf16 rows of any alignment, INT8
//   codes, float) comes through registers two steps ahead, is converted there, and stored once the current step is done.
// Summation order: K ascending in steps of 16, inside a step as the tensor core does; one block sums all of K.
// Edges: rows, columns and K beyond the matrix are read as zeros and not written. Offsets are 64 bits wide.
#pragma once
#include "tensor_core.h"

constexpr int StepK = 32;
constexpr int Stages = 3;

/// A matrix in memory, row-major without padding: data[outer * inners + inner].
template <class T> struct MatrixView { const T* data; int outers, inners; };

/// INT8 group codes of a matrix and their grids, [outers, ceil(inners / group)].
struct CodesView { const u8* data; const bf16* scales; const u8* zeros; int outers, inners, groups, group_shift; };

/// Where 16-byte chunk c (8 elements) of an operand's tile lies: in the matrix, and in shared memory.
template <bool KMajor, int Tile> struct TileLayout {
    static constexpr int ChunksPerRow = KMajor ? StepK / 8 : Tile / 8;
    static constexpr int Chunks = Tile * StepK / 8;
    DEVICE_MEMBER static int outer(int chunk) { return chunk / ChunksPerRow; }
    DEVICE_MEMBER static int inner(int chunk) { return chunk % ChunksPerRow * 8; }
    DEVICE_MEMBER static int offset(int row, int chunk) {
        return KMajor ? row * StepK + ((chunk ^ (row >> 1 & 3)) << 3) : row * Tile + ((chunk ^ (row & 7)) << 3);
    }
    DEVICE_MEMBER static int offset(int chunk) { return offset(chunk / ChunksPerRow, chunk % ChunksPerRow); }
};

DEVICE int valid_elements(int outer, int outers, int inner, int inners, int most) {
    int left = inners - inner;
    return outer >= outers || left <= 0 ? 0 : left < most ? left : most;
}

/// bf16 with 16-byte aligned rows: cp.async straight into the tile.
template <bool KMajor, int Tile> struct AsyncOperand {
    using Layout = TileLayout<KMajor, Tile>;
    MatrixView<bf16> matrix;
    int first; // first row (or column) of C that this block computes

    DEVICE_MEMBER void fetch(int k, bf16* tile) {
#pragma unroll
        for (int i = 0; i < 2; i++) {
            int chunk = threadIdx.x + i * 2 * Tile;
            int outer = (KMajor ? first : k) + Layout::outer(chunk), inner = (KMajor ? k : first) + Layout::inner(chunk);
            int valid = valid_elements(outer, matrix.outers, inner, matrix.inners, 8);
            const bf16* source = valid ? matrix.data + i64(outer) * matrix.inners + inner : matrix.data;
            async_copy16(tile + Layout::offset(chunk), source, valid * 2);
        }
    }
    DEVICE_MEMBER void store(bf16*) {}
};

/// bf16 rows of any alignment.
template <bool KMajor, int Tile> struct StagedOperand {
    using Layout = TileLayout<KMajor, Tile>;
    MatrixView<bf16> matrix;
    int first;
    uint4 staged[2];

    DEVICE_MEMBER void fetch(int k, bf16*) {
#pragma unroll
        for (int i = 0; i < 2; i++) {
            int chunk = threadIdx.x + i * 2 * Tile;
            int outer = (KMajor ? first : k) + Layout::outer(chunk), inner = (KMajor ? k : first) + Layout::inner(chunk);
            staged[i] = load16(matrix.data + i64(outer) * matrix.inners + inner, valid_elements(outer, matrix.outers, inner, matrix.inners, 8) * 2);
        }
    }
    DEVICE_MEMBER void store(bf16* tile) {
#pragma unroll
        for (int i = 0; i < 2; i++) *reinterpret_cast<uint4*>(tile + Layout::offset(threadIdx.x + i * 2 * Tile)) = staged[i];
    }
};

/// Float values of a dense matrix, rounded to bf16.
template <bool KMajor, int Tile> struct FloatOperand {
    using Layout = TileLayout<KMajor, Tile>;
    MatrixView<float> matrix;
    int first;
    uint4 staged[2];

    DEVICE_MEMBER void fetch(int k, bf16*) {
#pragma unroll
        for (int i = 0; i < 2; i++) {
            int chunk = threadIdx.x + i * 2 * Tile;
            int outer = (KMajor ? first : k) + Layout::outer(chunk), inner = (KMajor ? k : first) + Layout::inner(chunk);
            float values[8];
            load8(matrix.data + i64(outer) * matrix.inners + inner, valid_elements(outer, matrix.outers, inner, matrix.inners, 8), false, values);
            store8(reinterpret_cast<bf16*>(&staged[i]), values);
        }
    }
    DEVICE_MEMBER void store(bf16* tile) {
#pragma unroll
        for (int i = 0; i < 2; i++) *reinterpret_cast<uint4*>(tile + Layout::offset(threadIdx.x + i * 2 * Tile)) = staged[i];
    }
};

/// INT8 codes: 16 per thread and step, all of one group (groups hold multiples of 32 values, steps and tiles start at
/// multiples of 32). (code - zero) is exact in binary32; its product with the scale is rounded to bf16 once.
template <bool KMajor, int Tile> struct CodesOperand {
    using Layout = TileLayout<KMajor, Tile>;
    CodesView matrix;
    int first;
    bool vector; // rows are 16-byte aligned
    uint4 codes;
    float scale, bias;

    DEVICE_MEMBER void fetch(int k, bf16*) {
        int chunk = threadIdx.x * 2;
        int outer = (KMajor ? first : k) + Layout::outer(chunk), inner = (KMajor ? k : first) + Layout::inner(chunk);
        int valid = valid_elements(outer, matrix.outers, inner, matrix.inners, 16);
        const u8* source = matrix.data + i64(outer) * matrix.inners + inner;
        codes = vector && valid == 16 ? *reinterpret_cast<const uint4*>(source) : load16(source, valid);
        i64 group = i64(outer) * matrix.groups + (inner >> matrix.group_shift);
        scale = valid ? to_float(matrix.scales[group]) : 0.0f;
        bias = 8388608.0f + (valid ? float(matrix.zeros[group]) : 0.0f);
    }

    /// The float 2^23 + code is the code in the low mantissa bits: no integer conversion is needed.
    DEVICE_MEMBER u32 pair(u32 word, int first_byte) const {
        float low = __uint_as_float(__byte_perm(word, 0x4B000000u, 0x7440 + first_byte)) - bias;
        float high = __uint_as_float(__byte_perm(word, 0x4B000000u, 0x7440 + first_byte + 1)) - bias;
        return pack_bf16(low * scale, high * scale);
    }

    DEVICE_MEMBER void store(bf16* tile) {
        int chunk = threadIdx.x * 2;
        *reinterpret_cast<uint4*>(tile + Layout::offset(chunk)) = make_uint4(pair(codes.x, 0), pair(codes.x, 2), pair(codes.y, 0), pair(codes.y, 2));
        *reinterpret_cast<uint4*>(tile + Layout::offset(chunk + 1)) = make_uint4(pair(codes.z, 0), pair(codes.z, 2), pair(codes.w, 0), pair(codes.w, 2));
    }
};

/// C = products (+ addend, which may be C). T is bf16 or float.
template <class T> struct Destination {
    T* data;
    const T* addend; // null for none
    int rows, columns;

    DEVICE_MEMBER void store_pair(int row, int column, float first, float second) const {
        if (row >= rows || column >= columns) return;
        i64 at = i64(row) * columns + column;
        bool both = column + 1 < columns;
        if (addend) {
            first += to_float(addend[at]);
            if (both) second += to_float(addend[at + 1]);
        }
        if (both && !(columns & 1)) {
            store2(data + at, first, second);
        } else {
            data[at] = from_float<T>(first);
            if (both) data[at + 1] = from_float<T>(second);
        }
    }
    DEVICE_MEMBER static void store2(bf16* target, float first, float second) { *reinterpret_cast<u32*>(target) = pack_bf16(first, second); }
    DEVICE_MEMBER static void store2(float* target, float first, float second) { *reinterpret_cast<float2*>(target) = make_float2(first, second); }
};

/// The tile of this block: column tiles vary slowest inside a band of 8 row tiles, so that neighbouring blocks share B.
DEVICE void tile_of_block(int row_tiles, int column_tiles, int& row_tile, int& column_tile) {
    int band_blocks = 8 * column_tiles, band = int(blockIdx.x) / band_blocks, within = int(blockIdx.x) % band_blocks;
    int height = min(row_tiles - band * 8, 8);
    row_tile = band * 8 + within % height;
    column_tile = within / height;
}

/// Fragments of A: 16 rows from `row`, K from 16 `half`.
template <bool KMajor, int Tile> DEVICE void load_a(u32 (&fragments)[4], const bf16* tile, int row, int half) {
    using Layout = TileLayout<KMajor, Tile>;
    int lane = threadIdx.x & 31;
    if (KMajor) load_fragments(fragments, tile + Layout::offset(row + (lane & 15), half * 2 + (lane >> 4)));
    else load_fragments_transposed(fragments, tile + Layout::offset(half * 16 + (lane & 7) + (lane >> 4) * 8, row / 8 + (lane >> 3 & 1)));
}

/// Fragments of B: 16 columns from `column`; (0, 1) are the two K halves of the first 8 columns, (2, 3) of the others.
template <bool KMajor, int Tile> DEVICE void load_b(u32 (&fragments)[4], const bf16* tile, int column, int half) {
    using Layout = TileLayout<KMajor, Tile>;
    int lane = threadIdx.x & 31;
    if (KMajor) load_fragments(fragments, tile + Layout::offset(column + (lane & 7) + (lane >> 4) * 8, half * 2 + (lane >> 3 & 1)));
    else load_fragments_transposed(fragments, tile + Layout::offset(half * 16 + (lane & 15), column / 8 + (lane >> 4)));
}

/// The product of one block's tile. A and B are operands as above, already pointed at the block's rows and columns.
template <int Tile, bool AKMajor, bool BKMajor, class A, class B, class T>
DEVICE void multiply_tile(A& a, B& b, int depth, int first_row, int first_column, const Destination<T>& destination) {
    constexpr int WarpRows = Tile / 2, RowFragments = WarpRows / 16, OperandSize = Tile * StepK;
    DYNAMIC_SHARED(bf16, stages);
    int warp = threadIdx.x >> 5, lane = threadIdx.x & 31;
    int warp_row = (warp & 1) * WarpRows, warp_column = (warp >> 1) * 32;
    int steps = (depth + StepK - 1) / StepK;

    float sums[RowFragments][4][4];
#pragma unroll
    for (int i = 0; i < RowFragments; i++)
#pragma unroll
        for (int j = 0; j < 4; j++)
#pragma unroll
            for (int e = 0; e < 4; e++) sums[i][j][e] = 0.0f;

    for (int stage = 0; stage < Stages - 1; stage++) {
        bf16* tile = stages + stage * 2 * OperandSize;
        if (stage < steps) {
            a.fetch(stage * StepK, tile);
            b.fetch(stage * StepK, tile + OperandSize);
            a.store(tile);
            b.store(tile + OperandSize);
        }
        async_commit();
    }

    int read = 0, write = Stages - 1;
    for (int step = 0; step < steps; step++) {
        async_wait<Stages - 2>();
        // Makes this step's tiles visible, and ends all reading of the stage that is filled next.
        __syncthreads();
        bf16* filled = stages + write * 2 * OperandSize;
        bool more = step + Stages - 1 < steps;
        if (more) {
            a.fetch((step + Stages - 1) * StepK, filled);
            b.fetch((step + Stages - 1) * StepK, filled + OperandSize);
        }
        async_commit();

        const bf16* tile_a = stages + read * 2 * OperandSize;
        const bf16* tile_b = tile_a + OperandSize;
#pragma unroll
        for (int half = 0; half < 2; half++) {
            u32 fragments_b[2][4];
#pragma unroll
            for (int j = 0; j < 2; j++) load_b<BKMajor, Tile>(fragments_b[j], tile_b, warp_column + j * 16, half);
#pragma unroll
            for (int i = 0; i < RowFragments; i++) {
                u32 fragments_a[4];
                load_a<AKMajor, Tile>(fragments_a, tile_a, warp_row + i * 16, half);
#pragma unroll
                for (int j = 0; j < 4; j++) multiply_add(sums[i][j], fragments_a, fragments_b[j >> 1][(j & 1) * 2], fragments_b[j >> 1][(j & 1) * 2 + 1]);
            }
        }

        if (more) {
            a.store(filled);
            b.store(filled + OperandSize);
        }
        read = read + 1 == Stages ? 0 : read + 1;
        write = write + 1 == Stages ? 0 : write + 1;
    }

#pragma unroll
    for (int i = 0; i < RowFragments; i++)
#pragma unroll
        for (int j = 0; j < 4; j++) {
            int row = first_row + warp_row + i * 16 + (lane >> 2), column = first_column + warp_column + j * 8 + (lane & 3) * 2;
            destination.store_pair(row, column, sums[i][j][0], sums[i][j][1]);
            destination.store_pair(row + 8, column, sums[i][j][2], sums[i][j][3]);
        }
}

template <bool Aligned, bool KMajor, int Tile> struct Bf16Operand { using Type = AsyncOperand<KMajor, Tile>; };
template <bool KMajor, int Tile> struct Bf16Operand<false, KMajor, Tile> { using Type = StagedOperand<KMajor, Tile>; };
