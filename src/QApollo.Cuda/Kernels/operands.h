// Operands of a tensor-core product (gemm.h): how a tile of Tile rows (or columns) and 32 of K comes into shared memory. Each
// thread moves 16 elements per step: two 16-byte chunks of bf16, or four halves of float.
//   start:      at row or column `first` of the result, K at 0.
//   same_grid:  how many of the next steps take their values from one grid, from 1 to the number wanted; to be called before they are
//               fetched. All of them but for INT8 codes (codes_operand.h).
//   fetch:      a whole step of K, into the tile or into registers; the next call takes the next step.
//   store:      what is in registers, converted, into the tile.
//   fetch_rest: the last `rest` of K (less than a step) and zeros behind them, straight into the tile.
// Rows and columns beyond the matrix repeat others: they only reach results that nobody writes.
#pragma once
#include "tensor_core.h"

constexpr int StepK = 32;

/// A matrix in memory, row-major without padding: data[outer * inners + inner].
template <class T> struct MatrixView { const T* data; int outers, inners; };

/// Where 16-byte chunk c (8 elements) of an operand's tile lies: in the matrix, and in shared memory (bytes from the tile's start).
template <bool KMajor, int Tile> struct TileLayout {
    static constexpr u32 ChunksPerRow = KMajor ? StepK / 8 : Tile / 8;
    DEVICE_MEMBER static int outer(u32 chunk) { return chunk / ChunksPerRow; }
    DEVICE_MEMBER static int inner(u32 chunk) { return chunk % ChunksPerRow * 8; }
    /// The last term keeps chunks 0, 2, ... 14 apart, which eight threads store at once.
    DEVICE_MEMBER static int offset(int row, int chunk) {
        return KMajor ? row * StepK * 2 + ((chunk ^ (row >> 1 & 3)) << 4) : row * Tile * 2 + ((chunk ^ (row & 7) ^ (chunk >> 3 & 1)) << 4);
    }
    DEVICE_MEMBER static int offset(u32 chunk) { return offset(chunk / ChunksPerRow, chunk % ChunksPerRow); }
};

/// The chunks of a thread of a dense bf16 operand: two, half a tile apart, which the swizzle treats alike. `step`: elements from one
/// step of K to the next.
template <bool KMajor, int Tile> struct DenseChunks {
    using Layout = TileLayout<KMajor, Tile>;
    static constexpr int HalfBytes = Tile * StepK, HalfRows = (KMajor ? Tile : StepK) / 2;
    const bf16* source[2];
    i64 step;
    int target;
    int valid; // elements of a chunk inside the matrix: fewer than 8 only behind its last column

    /// Not aligned: both chunks still have one alignment, as a multiple of 8 rows lies between them.
    DEVICE_MEMBER void start(const MatrixView<bf16>& matrix, int first, bool aligned) {
        int outer = Layout::outer(threadIdx.x), inner = Layout::inner(threadIdx.x), apart = HalfRows;
        valid = 8;
        if (KMajor) {
            outer = min(first + outer, matrix.outers - 1);
            int behind = matrix.outers - 1 - outer;
            apart = min(HalfRows, aligned ? behind : behind & ~7);
        } else {
            inner = min(first + inner, aligned ? matrix.inners - 8 : matrix.inners - 1);
            valid = min(8, matrix.inners - inner);
        }
        source[0] = matrix.data + i64(outer) * matrix.inners + inner;
        source[1] = matrix.data + i64(outer + apart) * matrix.inners + inner;
        step = KMajor ? StepK : i64(StepK) * matrix.inners;
        target = Layout::offset(threadIdx.x);
    }
    /// Elements of chunk i among the last `rest` of K.
    DEVICE_MEMBER int valid_of_rest(int i, int rest) const {
        u32 chunk = threadIdx.x + i * 2 * Tile;
        return KMajor ? max(0, min(8, rest - Layout::inner(chunk))) : Layout::outer(chunk) < rest ? valid : 0;
    }
};

/// bf16 with rows of whole, aligned chunks: cp.async straight into the tile.
template <bool KMajor, int Tile> struct AsyncOperand {
    static constexpr bool IsAsync = true;
    using Chunks = DenseChunks<KMajor, Tile>;
    Chunks chunks;

    DEVICE_MEMBER void start(const MatrixView<bf16>& matrix, int first) { chunks.start(matrix, first, true); }
    DEVICE_MEMBER static int same_grid(int steps) { return steps; }
    DEVICE_MEMBER void fetch(SharedAddress tile) {
#pragma unroll
        for (int i = 0; i < 2; i++) {
            async_copy16(tile + chunks.target + i * Chunks::HalfBytes, chunks.source[i]);
            chunks.source[i] += KMajor ? StepK : chunks.step;
        }
    }
    DEVICE_MEMBER void store(SharedAddress) {}
    DEVICE_MEMBER void fetch_rest(int rest, SharedAddress tile) {
#pragma unroll
        for (int i = 0; i < 2; i++) {
            SharedAddress target = tile + chunks.target + i * Chunks::HalfBytes;
            if (chunks.valid_of_rest(i, rest)) async_copy16(target, chunks.source[i]);
            else store_shared(target, make_uint4(0, 0, 0, 0));
        }
    }
};

/// bf16 rows of any alignment.
template <bool KMajor, int Tile> struct StagedOperand {
    static constexpr bool IsAsync = false;
    using Chunks = DenseChunks<KMajor, Tile>;
    Chunks chunks;
    i64 apart; // bytes from one chunk to the other
    uint4 staged[2];

    DEVICE_MEMBER void start(const MatrixView<bf16>& matrix, int first) {
        chunks.start(matrix, first, false);
        apart = (chunks.source[1] - chunks.source[0]) * i64(sizeof(bf16));
    }
    DEVICE_MEMBER static int same_grid(int steps) { return steps; }
    DEVICE_MEMBER void fetch(SharedAddress) {
        u32 offset = u32(reinterpret_cast<u64>(chunks.source[0])) & 15;
        const u8* words = reinterpret_cast<const u8*>(chunks.source[0]) - offset;
        staged[0] = load16_at(words, offset, chunks.valid * 2);
        staged[1] = load16_at(words + apart, offset, chunks.valid * 2);
        chunks.source[0] += KMajor ? StepK : chunks.step;
    }
    DEVICE_MEMBER void store(SharedAddress tile) {
#pragma unroll
        for (int i = 0; i < 2; i++) store_shared(tile + chunks.target + i * Chunks::HalfBytes, staged[i]);
    }
    DEVICE_MEMBER void fetch_rest(int rest, SharedAddress tile) {
        const u8* source = reinterpret_cast<const u8*>(chunks.source[0]);
#pragma unroll
        for (int i = 0; i < 2; i++) staged[i] = load16(source + i * apart, chunks.valid_of_rest(i, rest) * 2);
        store(tile);
    }
};

#ifdef ON_GPU
DEVICE void store_shared(SharedAddress target, uint2 value) { asm volatile("st.shared.v2.u32 [%0], {%1, %2};" ::"r"(target), "r"(value.x), "r"(value.y) : "memory"); }
#else
DEVICE void store_shared(SharedAddress target, uint2 value) { *reinterpret_cast<uint2*>(target) = value; }
#endif

/// Float values of a dense matrix, rounded to bf16: four at a time, so that neighbouring threads read neighbouring words.
template <bool KMajor, int Tile> struct FloatOperand {
    static constexpr bool IsAsync = false;
    using Layout = TileLayout<KMajor, Tile>;
    static constexpr int Quads = 4, QuarterBytes = Tile * StepK / 2; // of a thread, a quarter of the tile apart, which the swizzle treats alike
    const float* source[Quads];
    i64 step;
    int target, valid;
    uint2 staged[Quads];

    /// Row (of K or not) and column of a quad in the tile.
    DEVICE_MEMBER static int outer(int i) { return Layout::outer((threadIdx.x + i * 2 * Tile) / 2); }
    DEVICE_MEMBER static int inner(int i) { return Layout::inner((threadIdx.x + i * 2 * Tile) / 2) + (threadIdx.x & 1) * 4; }

    DEVICE_MEMBER void start(const MatrixView<float>& matrix, int first) {
        valid = 4;
#pragma unroll
        for (int i = 0; i < Quads; i++) {
            int row = outer(i), column = inner(i);
            if (KMajor) {
                row = min(first + row, matrix.outers - 1);
            } else {
                column = min(first + column, matrix.inners - 1);
                valid = min(4, matrix.inners - column);
            }
            source[i] = matrix.data + i64(row) * matrix.inners + column;
        }
        step = KMajor ? StepK : i64(StepK) * matrix.inners;
        target = Layout::offset(threadIdx.x / 2) + (threadIdx.x & 1) * 8;
    }
    DEVICE_MEMBER static int same_grid(int steps) { return steps; }
    DEVICE_MEMBER static uint2 rounded(uint4 values) {
        return make_uint2(pack_bf16(__uint_as_float(values.x), __uint_as_float(values.y)), pack_bf16(__uint_as_float(values.z), __uint_as_float(values.w)));
    }
    DEVICE_MEMBER void fetch(SharedAddress) {
#pragma unroll
        for (int i = 0; i < Quads; i++) {
            staged[i] = rounded(load16_any(source[i], valid * 4));
            source[i] += KMajor ? StepK : step;
        }
    }
    DEVICE_MEMBER void store(SharedAddress tile) {
#pragma unroll
        for (int i = 0; i < Quads; i++) store_shared(tile + target + i * QuarterBytes, staged[i]);
    }
    DEVICE_MEMBER void fetch_rest(int rest, SharedAddress tile) {
#pragma unroll
        for (int i = 0; i < Quads; i++) staged[i] = rounded(load16(source[i], KMajor ? min(4, rest - inner(i)) * 4 : outer(i) < rest ? valid * 4 : 0));
        store(tile);
    }
};

template <bool Aligned, bool KMajor, int Tile> struct Bf16Operand { using Type = AsyncOperand<KMajor, Tile>; };
template <bool KMajor, int Tile> struct Bf16Operand<false, KMajor, Tile> { using Type = StagedOperand<KMajor, Tile>; };
