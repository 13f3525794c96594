// Rows that fit into the lanes of a warp, 8 or 16 features in a lane: a row is read once, and sums over rows stay in registers. Two layouts: quads of
// neighbours, for rows that are multiples of 4 long and 16-byte aligned bases, and pairs, for rows of any length at any address (row_pairs.h).
// `columns` is the length of the row, 0 behind the last one. All calls are for whole warps.
#pragma once
#include "row_pairs.h"

DEVICE void load4(const bf16* source, bool inside, float* values) {
    uint2 bits = make_uint2(0, 0);
    if (inside) bits = *reinterpret_cast<const uint2*>(source);
    values[0] = low_float(bits.x);
    values[1] = high_float(bits.x);
    values[2] = low_float(bits.y);
    values[3] = high_float(bits.y);
}
DEVICE void load4(const float* source, bool inside, float* values) {
    float4 four = make_float4(0, 0, 0, 0);
    if (inside) four = *reinterpret_cast<const float4*>(source);
    values[0] = four.x;
    values[1] = four.y;
    values[2] = four.z;
    values[3] = four.w;
}

/// 8, 16 or 32 lanes hold a row: lane i columns 4 i .. 4 i + 3 of each 4 Lanes.
template <int LanesOfRow, int FeaturesOfLane> struct QuadRows {
    static constexpr int Lanes = LanesOfRow, Held = FeaturesOfLane, Turn = 4 * Lanes;
    /// Floats between feature i and i + 1 of all threads, where neighbouring columns meet in no bank.
    static constexpr int Pitch = 256 + 8;

    /// Where the first lanes' sum for a column lies.
    DEVICE_MEMBER static int place(int column) { return (column / Turn * 4 + column % 4) * Pitch + column % Turn / 4; }

    template <class T> DEVICE_MEMBER static void load(const T* row, int columns, float (&values)[Held]) {
        int column = threadIdx.x % Lanes * 4;
#pragma unroll
        for (int i = 0; i < Held; i += 4) load4(row + column + i * Lanes, column + i * Lanes < columns, values + i);
    }
    DEVICE_MEMBER static void store(bf16* row, int columns, const float (&values)[Held]) {
        int column = threadIdx.x % Lanes * 4;
#pragma unroll
        for (int i = 0; i < Held; i += 4) {
            uint2 bits = make_uint2(pack_bf16(values[i], values[i + 1]), pack_bf16(values[i + 2], values[i + 3]));
            if (column + i * Lanes < columns) *reinterpret_cast<uint2*>(row + column + i * Lanes) = bits;
        }
    }
};

/// Columns `column`, at an even place, and the next, zeros behind the row.
DEVICE float2 pair_before_end(const bf16* row, int column, int columns) {
    if (column + 2 <= columns) return aligned_pair(row + column);
    return make_float2(column < columns ? to_float(row[column]) : 0.0f, 0.0f);
}
DEVICE void store_before_end(bf16* row, int column, int columns, float2 pair) {
    if (column + 2 <= columns) store_aligned_pair(row + column, pair);
    else if (column < columns) row[column] = to_bf16(pair.x);
}

/// 32 lanes hold a row: lane i columns 2 i and 2 i + 1 of each 64. Of rows at odd places, a lane accesses the pair that begins a column
/// before its own, and the first and the last lane a column alone.
struct PairRows {
    static constexpr int Lanes = 32, Held = 8, Pitch = 256 + 16;

    DEVICE_MEMBER static int column(int turn) { return turn * 64 + int(threadIdx.x & 31) * 2; }
    DEVICE_MEMBER static int place(int column) { return (column / 64 * 2 + column % 2) * Pitch + column % 64 / 2; }

    DEVICE_MEMBER static void load(const bf16* row, int columns, float (&values)[Held]) {
#pragma unroll
        for (int turn = 0; turn < 4; turn++) {
            float2 pair = make_float2(0, 0);
            if (turn * 64 < columns) pair = is_odd(row) ? load_between(row, column(turn), columns) : pair_before_end(row, column(turn), columns);
            values[turn * 2] = pair.x;
            values[turn * 2 + 1] = pair.y;
        }
    }
    /// Weights, which are loaded once for many rows: at odd places by element.
    DEVICE_MEMBER static void load(const float* row, int columns, float (&values)[Held]) {
#pragma unroll
        for (int turn = 0; turn < 4; turn++) {
            int first = column(turn);
            bool whole = !is_odd(row) && first + 2 <= columns;
            float2 pair = whole ? aligned_pair(row + first) : make_float2(element(row, first, columns), element(row, first + 1, columns));
            values[turn * 2] = pair.x;
            values[turn * 2 + 1] = pair.y;
        }
    }
    DEVICE_MEMBER static void store(bf16* row, int columns, const float (&values)[Held]) {
#pragma unroll
        for (int turn = 0; turn < 4; turn++) {
            if (turn * 64 >= columns) break;
            float2 pair = make_float2(values[turn * 2], values[turn * 2 + 1]);
            if (is_odd(row)) store_between(row, column(turn), columns, pair);
            else store_before_end(row, column(turn), columns, pair);
        }
    }

    DEVICE_MEMBER static float2 load_between(const bf16* row, int column, int columns) {
        int lane = threadIdx.x & 31;
        float2 pair = column == 0 ? make_float2(0, to_float(row[0])) : pair_before_end(row, column - 1, columns);
        float next = __shfl_sync(AllLanes, pair.x, (lane + 1) & 31);
        if (lane == 31) next = column + 1 < columns ? to_float(row[column + 1]) : 0.0f;
        return make_float2(pair.y, next);
    }
    DEVICE_MEMBER static void store_between(bf16* row, int column, int columns, float2 pair) {
        int lane = threadIdx.x & 31;
        float before = __shfl_sync(AllLanes, pair.y, (lane + 31) & 31);
        if (lane == 0) row[column] = to_bf16(pair.x);
        else store_before_end(row, column - 1, columns, make_float2(before, pair.x));
        if (lane == 31 && column + 1 < columns) row[column + 1] = to_bf16(pair.y);
    }
};
