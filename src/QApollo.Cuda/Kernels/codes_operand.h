// INT8 weights as an operand of a tensor-core product (gemm.h): (code - zero) * scale, rounded to bf16 once.
#pragma once
#include "operands.h"

/// INT8 group codes of a matrix and their grids, [outers, ceil(inners / group)].
struct CodesView { const u8* data; const bf16* scales; const u8* zeros; int outers, inners, groups, group_shift; };

#ifdef ON_GPU
/// a * b + c in both halves, each rounded to bf16 once; subnormal numbers are numbers (PTX manual, fma.rn.bf16x2).
DEVICE u32 multiply_add_pair(u32 a, u32 b, u32 c) {
    u32 result;
    asm("fma.rn.bf16x2 %0, %1, %2, %3;" : "=r"(result) : "r"(a), "r"(b), "r"(c));
    return result;
}
#else
DEVICE u32 multiply_add_pair(u32 a, u32 b, u32 c) { return pack_bf16(simt::multiply_add_half(a, b, c), simt::multiply_add_half(a >> 16, b >> 16, c >> 16)); }
#endif

/// The grid of a group, ready to decode pairs of codes: 64 * scale and -zero / 64, in both halves.
struct PairGrid {
    u32 scale, bias;

    // A code c as the bits of a bf16 is c * 2^-133: the subnormal numbers and the first normal ones lie equally far apart. No integer is
    // converted, and (code - zero) / 64 is exact, of 8 bits. 64 * scale is finite: a grid spans finite values, of which scale is a 127th.
    static constexpr u32 Power127 = 0x7f007f00, MinusPower127 = 0xff00ff00, SixtyFour = 0x42804280, MinusZero = 0x80008000;

    /// Of a grid as it is stored.
    DEVICE_MEMBER static PairGrid of(u32 scale, u32 zero) {
        return {multiply_add_pair(scale * 0x10001, SixtyFour, MinusZero), multiply_add_pair(zero * 0x10001, MinusPower127, MinusZero)};
    }
    /// Codes `first` and first + 1 of a word.
    DEVICE_MEMBER u32 decode(u32 word, int first) const {
        u32 codes = __byte_perm(word, 0, 0x4140 + first * 0x101);
        return multiply_add_pair(multiply_add_pair(codes, Power127, bias), scale, MinusZero);
    }
    DEVICE_MEMBER uint4 decode(u32 low, u32 high) const { return make_uint4(decode(low, 0), decode(low, 2), decode(high, 0), decode(high, 2)); }
};

/// The grids of a thread's codes, whose place in K moves on by StepK with each step, or across K by StepK rows.
template <bool KMajor> struct Grids;

/// Along K the grid changes with the group. The two lanes that share a row read the grids of two groups at a time, one each, and before
/// they are needed: rows lie apart, and a sector holds the grids of many groups.
template <> struct Grids<true> {
    const bf16* scale_source;
    const u8* zero_source;
    int next, groups, steps, left; // the next group of the row; steps of a group, and what is left of them
    u32 scale, zero;               // as stored, of group next or next + 1
    PairGrid grid;

    DEVICE_MEMBER void start(const CodesView& matrix, int outer, int) {
        i64 first = i64(outer) * matrix.groups + (threadIdx.x & 1);
        scale_source = matrix.scales + first;
        zero_source = matrix.zeros + first;
        next = 0;
        groups = matrix.groups;
        steps = (1 << matrix.group_shift) / StepK;
        left = 0;
        read();
    }
    DEVICE_MEMBER void read() {
        if (next + int(threadIdx.x & 1) < groups) {
            scale = *scale_source;
            zero = *zero_source;
        }
        scale_source += 2;
        zero_source += 2;
    }
    DEVICE_MEMBER int same(int wanted) {
        if (left == 0) {
            u32 stored = __shfl_sync(AllLanes, scale | zero << 16, int(threadIdx.x & 30) | (next & 1));
            grid = PairGrid::of(stored & 0xffff, stored >> 16);
            left = steps;
            if (!(++next & 1)) read();
        }
        int count = min(wanted, left);
        left -= count;
        return count;
    }
    DEVICE_MEMBER void fetch() {}
    DEVICE_MEMBER PairGrid current() const { return grid; }
};

/// Across K it changes with every row.
template <> struct Grids<false> {
    const bf16* scale_source;
    const u8* zero_source;
    i64 step;
    u32 scale, zero; // as stored

    DEVICE_MEMBER void start(const CodesView& matrix, int outer, int inner) {
        i64 first = i64(outer) * matrix.groups + (inner >> matrix.group_shift);
        scale_source = matrix.scales + first;
        zero_source = matrix.zeros + first;
        step = i64(StepK) * matrix.groups;
    }
    DEVICE_MEMBER int same(int wanted) const { return wanted; }
    DEVICE_MEMBER void fetch() {
        scale = *scale_source;
        zero = *zero_source;
        scale_source += step;
        zero_source += step;
    }
    DEVICE_MEMBER PairGrid current() const { return PairGrid::of(scale, zero); }
};

/// A thread's 16 codes of a step: where they come from. Aligned: rows are a multiple of 16 codes long, and 16-byte aligned.
template <bool KMajor, bool Aligned> struct CodesSource {
    const u8* source;
    i64 step;
    int valid; // codes inside the matrix: fewer than 16 only behind its last column
    uint4 codes;

    DEVICE_MEMBER void start(const CodesView& matrix, int outer, int inner) {
        valid = KMajor ? 16 : min(16, matrix.inners - inner);
        source = matrix.data + i64(outer) * matrix.inners + inner;
        step = KMajor ? StepK : i64(StepK) * matrix.inners;
    }
    /// Which 16 codes of the tile the thread has.
    DEVICE_MEMBER u32 place() const { return threadIdx.x; }
    DEVICE_MEMBER void fetch() {
        codes = Aligned ? *reinterpret_cast<const uint4*>(source) : load16_any(source, valid);
        source += KMajor ? StepK : step;
    }
    /// The codes of the step that was fetched.
    DEVICE_MEMBER uint4 take() { return codes; }
    /// The codes behind the last whole step, of which `inside` (1 to 16) are the matrix's.
    DEVICE_MEMBER uint4 rest(u32, int inside) const { return Aligned ? *reinterpret_cast<const uint4*>(source) : load16_any(source, inside); }
};

/// Along rows of any alignment the two lanes that share a row read its sectors, one with each step and each once: 32 codes lie in two
/// sectors, of which the first one was read for the step before.
template <> struct CodesSource<true, false> {
    static constexpr int valid = 16;
    const uint4* next; // this lane's half of the next sector
    int left;          // bytes of the row from there on
    int shift;         // of the row's first code in its sector
    uint4 last, now;   // halves of the last two sectors

    DEVICE_MEMBER void start(const CodesView& matrix, int outer, int) {
        int lane = threadIdx.x & 1;
        const u8* row = matrix.data + i64(outer) * matrix.inners;
        shift = kept(int(reinterpret_cast<u64>(row) & 31));
        next = reinterpret_cast<const uint4*>(row - shift) + lane;
        left = matrix.inners + shift - 16 * lane;
        now = make_uint4(0, 0, 0, 0);
        fetch();
        last = now;
    }
    /// In the upper half of the sector a row begins with the codes of the odd lane.
    DEVICE_MEMBER u32 place() const { return kept(int(threadIdx.x) ^ shift >> 4); }
    DEVICE_MEMBER void fetch() {
        if (left > 0) now = *next;
        next += 2;
        left -= 32;
    }
    DEVICE_MEMBER uint4 take() {
        bool odd = threadIdx.x & 1, upper = shift & 16;
        uint4 low = upper && !odd ? now : last, other = upper || !odd ? now : last;
        uint4 high = make_uint4(__shfl_xor_sync(AllLanes, other.x, 1), __shfl_xor_sync(AllLanes, other.y, 1),
                                __shfl_xor_sync(AllLanes, other.z, 1), __shfl_xor_sync(AllLanes, other.w, 1));
        last = now;
        return shift16(low, high, shift & 15);
    }
    DEVICE_MEMBER uint4 rest(u32 place, int inside) const {
        int lane = threadIdx.x & 1, half = place & 1;
        return load16_any(reinterpret_cast<const u8*>(next) + (shift - 32 + 16 * (half - lane)), inside);
    }
};

/// INT8 codes: 16 per thread and step, all of one group (groups hold multiples of 32 values, steps and tiles start at
/// multiples of 32).
template <bool KMajor, int Tile, bool Aligned> struct CodesOperand {
    using Layout = TileLayout<KMajor, Tile>;
    static constexpr bool IsAsync = false;
    CodesSource<KMajor, Aligned> source;
    Grids<KMajor> grids;
    int target[2];

    DEVICE_MEMBER void start(const CodesView& matrix, int first) {
        u32 chunk = threadIdx.x * 2;
        int outer = Layout::outer(chunk), inner = Layout::inner(chunk);
        if (KMajor) outer = min(first + outer, matrix.outers - 1);
        else inner = min(first + inner, Aligned ? matrix.inners - 16 : matrix.inners - 1);
        source.start(matrix, outer, inner);
        grids.start(matrix, outer, inner);
        u32 place = source.place();
        target[0] = Layout::offset(place * 2);
        target[1] = Layout::offset(place * 2 + 1);
    }
    DEVICE_MEMBER int same_grid(int steps) { return grids.same(steps); }
    DEVICE_MEMBER void fetch(SharedAddress) {
        source.fetch();
        grids.fetch();
    }
    DEVICE_MEMBER void store(SharedAddress tile) {
        PairGrid grid = grids.current();
        uint4 codes = source.take();
        store_shared(tile + target[0], grid.decode(codes.x, codes.y));
        store_shared(tile + target[1], grid.decode(codes.z, codes.w));
    }
    DEVICE_MEMBER void fetch_rest(int rest, SharedAddress tile) {
        u32 place = source.place(), chunk = place * 2;
        int inside = KMajor ? max(0, min(16, rest - Layout::inner(chunk))) : Layout::outer(chunk) < rest ? source.valid : 0;
        u32 values[8] = {};
        if (inside > 0) {
            uint4 codes = source.rest(place, inside);
            grids.fetch();
            PairGrid grid = grids.current();
            u32 words[4] = {codes.x, codes.y, codes.z, codes.w};
#pragma unroll
            for (int i = 0; i < 8; i++) {
                u32 pair = grid.decode(words[i / 2], i % 2 * 2);
                values[i] = inside > 2 * i + 1 ? pair : inside > 2 * i ? pair & 0xffff : 0;
            }
        }
        store_shared(tile + target[0], make_uint4(values[0], values[1], values[2], values[3]));
        store_shared(tile + target[1], make_uint4(values[4], values[5], values[6], values[7]));
    }
};
