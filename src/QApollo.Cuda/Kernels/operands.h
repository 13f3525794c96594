// Operands of a tensor-core product (gemm.h): how a tile of Tile rows (or columns) and 32 of K comes into shared memory. Each
// thread moves 16 elements per step: two 16-byte chunks of bf16, or four halves of float.
//   start:      at row or column `first` of the result, K at 0.
//   fetch:      a whole step of K, into the tile or into registers; the next call takes the next step.
//   store:      what is in registers, converted, into the tile.
//   fetch_rest: the last `rest` of K (less than a step) and zeros behind them, straight into the tile.
// Rows and columns beyond the matrix repeat its last ones: they only reach results that nobody writes.
#pragma once
#include "tensor_core.h"

constexpr int StepK = 32;

/// A matrix in memory, row-major without padding: data[outer * inners + inner].
template <class T> struct MatrixView { const T* data; int outers, inners; };

/// INT8 group codes of a matrix and their grids, [outers, ceil(inners / group)].
struct CodesView { const u8* data; const bf16* scales; const u8* zeros; int outers, inners, groups, group_shift; };

/// Where 16-byte chunk c (8 elements) of an operand's tile lies: in the matrix, and in shared memory (bytes from the tile's start).
template <bool KMajor, int Tile> struct TileLayout {
    static constexpr int ChunksPerRow = KMajor ? StepK / 8 : Tile / 8;
    DEVICE_MEMBER static int outer(int chunk) { return chunk / ChunksPerRow; }
    DEVICE_MEMBER static int inner(int chunk) { return chunk % ChunksPerRow * 8; }
    /// The last term keeps chunks 0, 2, ... 14 apart, which eight threads store at once.
    DEVICE_MEMBER static int offset(int row, int chunk) {
        return KMajor ? row * StepK * 2 + ((chunk ^ (row >> 1 & 3)) << 4) : row * Tile * 2 + ((chunk ^ (row & 7) ^ (chunk >> 3 & 1)) << 4);
    }
    DEVICE_MEMBER static int offset(int chunk) { return offset(chunk / ChunksPerRow, chunk % ChunksPerRow); }
};

/// The chunks of a thread of a dense bf16 operand: two, half a tile apart, which the swizzle treats alike. `step`: elements from one
/// step of K to the next.
template <bool KMajor, int Tile> struct DenseChunks {
    using Layout = TileLayout<KMajor, Tile>;
    static constexpr int HalfBytes = Tile * StepK;
    const bf16* source[2];
    i64 step;
    int target;
    int valid; // elements of a chunk inside the matrix: fewer than 8 only behind its last column

    DEVICE_MEMBER void start(const MatrixView<bf16>& matrix, int first, bool whole_chunks) {
        valid = 8;
#pragma unroll
        for (int i = 0; i < 2; i++) {
            int chunk = threadIdx.x + i * 2 * Tile, outer = Layout::outer(chunk), inner = Layout::inner(chunk);
            if (KMajor) {
                outer = min(first + outer, matrix.outers - 1);
            } else {
                inner = min(first + inner, whole_chunks ? matrix.inners - 8 : matrix.inners - 1);
                valid = min(8, matrix.inners - inner);
            }
            source[i] = matrix.data + i64(outer) * matrix.inners + inner;
        }
        step = KMajor ? StepK : i64(StepK) * matrix.inners;
        target = Layout::offset(threadIdx.x);
    }
    DEVICE_MEMBER void advance() {
#pragma unroll
        for (int i = 0; i < 2; i++) source[i] += KMajor ? StepK : step;
    }
    /// Elements of chunk i among the last `rest` of K.
    DEVICE_MEMBER int valid_of_rest(int i, int rest) const {
        int chunk = threadIdx.x + i * 2 * Tile;
        return KMajor ? max(0, min(8, rest - Layout::inner(chunk))) : Layout::outer(chunk) < rest ? valid : 0;
    }
};

/// bf16 with rows of whole, aligned chunks: cp.async straight into the tile.
template <bool KMajor, int Tile> struct AsyncOperand {
    using Chunks = DenseChunks<KMajor, Tile>;
    Chunks chunks;

    DEVICE_MEMBER void start(const MatrixView<bf16>& matrix, int first) { chunks.start(matrix, first, true); }
    DEVICE_MEMBER void fetch(SharedAddress tile) {
#pragma unroll
        for (int i = 0; i < 2; i++) async_copy16(tile + chunks.target + i * Chunks::HalfBytes, chunks.source[i]);
        chunks.advance();
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
    using Chunks = DenseChunks<KMajor, Tile>;
    Chunks chunks;
    uint4 staged[2];

    DEVICE_MEMBER void start(const MatrixView<bf16>& matrix, int first) { chunks.start(matrix, first, false); }
    DEVICE_MEMBER void fetch(SharedAddress) {
#pragma unroll
        for (int i = 0; i < 2; i++) staged[i] = load16_any(chunks.source[i], chunks.valid * 2);
        chunks.advance();
    }
    DEVICE_MEMBER void store(SharedAddress tile) {
#pragma unroll
        for (int i = 0; i < 2; i++) store_shared(tile + chunks.target + i * Chunks::HalfBytes, staged[i]);
    }
    DEVICE_MEMBER void fetch_rest(int rest, SharedAddress tile) {
#pragma unroll
        for (int i = 0; i < 2; i++) staged[i] = load16(chunks.source[i], chunks.valid_of_rest(i, rest) * 2);
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
    using Layout = TileLayout<KMajor, Tile>;
    static constexpr int Quads = 4, QuarterBytes = Tile * StepK / 2; // of a thread, a quarter of the tile apart, which the swizzle treats alike
    const float* source[Quads];
    i64 step;
    int target, valid;
    uint2 staged[Quads];

    /// Row (of K or not) and column of a quad in the tile.
    DEVICE_MEMBER static int outer(int i) { return Layout::outer(int(threadIdx.x + i * 2 * Tile) / 2); }
    DEVICE_MEMBER static int inner(int i) { return Layout::inner(int(threadIdx.x + i * 2 * Tile) / 2) + (threadIdx.x & 1) * 4; }

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

/// INT8 codes: 16 per thread and step, all of one group (groups hold multiples of 32 values, steps and tiles start at
/// multiples of 32). Aligned: rows are a multiple of 16 codes long, and 16-byte aligned.
template <bool KMajor, int Tile, bool Aligned> struct CodesOperand {
    using Layout = TileLayout<KMajor, Tile>;
    const u8* source;
    const bf16* scale_source;
    const u8* zero_source;
    int inners, groups, group_mask, left; // left: of K to the end of the group
    int valid;
    int target[2];
    uint4 codes;
    u32 scale, zero; // as stored

    DEVICE_MEMBER void start(const CodesView& matrix, int first) {
        int chunk = threadIdx.x * 2, outer = Layout::outer(chunk), inner = Layout::inner(chunk);
        valid = 16;
        if (KMajor) {
            outer = min(first + outer, matrix.outers - 1);
        } else {
            inner = min(first + inner, Aligned ? matrix.inners - 16 : matrix.inners - 1);
            valid = min(16, matrix.inners - inner);
        }
        source = matrix.data + i64(outer) * matrix.inners + inner;
        i64 group = i64(outer) * matrix.groups + (KMajor ? 0 : inner >> matrix.group_shift);
        scale_source = matrix.scales + group;
        zero_source = matrix.zeros + group;
        inners = matrix.inners;
        groups = matrix.groups;
        group_mask = (1 << matrix.group_shift) - 1;
        left = 0;
        target[0] = Layout::offset(chunk);
        target[1] = Layout::offset(chunk + 1);
    }

    /// Along K the grid changes with the group; across it, with every row.
    DEVICE_MEMBER void fetch_grid() {
        if (KMajor && left != 0) {
            left -= StepK;
            return;
        }
        left = group_mask + 1 - StepK;
        scale = *scale_source;
        zero = *zero_source;
        scale_source += KMajor ? 1 : i64(StepK) * groups;
        zero_source += KMajor ? 1 : i64(StepK) * groups;
    }
    DEVICE_MEMBER void fetch(SharedAddress) {
        codes = Aligned ? *reinterpret_cast<const uint4*>(source) : load16_any(source, valid);
        source += KMajor ? StepK : i64(StepK) * inners;
        fetch_grid();
    }

    /// (code - zero) * scale, rounded to bf16 once: the float 2^15 + code is the code in the mantissa bits 8 to 15, so that no integer
    /// conversion is needed, and its product with a bf16 scale is exact, as is that of 2^15 + zero and the difference.
    DEVICE_MEMBER static u32 pair(u32 word, int first_byte, float factor, float bias) {
        float low = __uint_as_float(__byte_perm(word, 0x47000000u, 0x7404 + first_byte * 16));
        float high = __uint_as_float(__byte_perm(word, 0x47000000u, 0x7404 + first_byte * 16 + 16));
        return pack_bf16(__fmaf_rn(low, factor, bias), __fmaf_rn(high, factor, bias));
    }
    DEVICE_MEMBER void store(SharedAddress tile) {
        float factor = __uint_as_float(scale << 16);
        float bias = -(__uint_as_float(0x47000000u | zero << 8) * factor);
        store_shared(tile + target[0], make_uint4(pair(codes.x, 0, factor, bias), pair(codes.x, 2, factor, bias), pair(codes.y, 0, factor, bias), pair(codes.y, 2, factor, bias)));
        store_shared(tile + target[1], make_uint4(pair(codes.z, 0, factor, bias), pair(codes.z, 2, factor, bias), pair(codes.w, 0, factor, bias), pair(codes.w, 2, factor, bias)));
    }

    /// Codes behind the end become those of the zero point, which stand for 0.
    DEVICE_MEMBER void fetch_rest(int rest, SharedAddress tile) {
        int chunk = threadIdx.x * 2;
        int inside = KMajor ? max(0, min(16, rest - Layout::inner(chunk))) : Layout::outer(chunk) < rest ? valid : 0;
        if (inside == 0) {
            store_shared(tile + target[0], make_uint4(0, 0, 0, 0));
            store_shared(tile + target[1], make_uint4(0, 0, 0, 0));
            return;
        }
        codes = Aligned ? *reinterpret_cast<const uint4*>(source) : load16_any(source, inside);
        fetch_grid();
        if (KMajor && inside < 16) {
            u32 w[4] = {codes.x, codes.y, codes.z, codes.w}, zeros = zero * 0x01010101u;
#pragma unroll
            for (int i = 0; i < 4; i++) {
                int bytes = min(4, max(0, inside - 4 * i));
                u32 kept = bytes == 0 ? 0 : 0xffffffffu >> (32 - 8 * bytes);
                w[i] = (w[i] & kept) | (zeros & ~kept);
            }
            codes = make_uint4(w[0], w[1], w[2], w[3]);
        }
        store(tile);
    }
};

template <bool Aligned, bool KMajor, int Tile> struct Bf16Operand { using Type = AsyncOperand<KMajor, Tile>; };
template <bool KMajor, int Tile> struct Bf16Operand<false, KMajor, Tile> { using Type = StagedOperand<KMajor, Tile>; };
