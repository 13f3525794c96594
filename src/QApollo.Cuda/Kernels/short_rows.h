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

/// 32 lanes hold a row: lane i columns 2 i and 2 i + 1 of each 64.
struct PairRows {
    static constexpr int Lanes = 32, Held = 8, Pitch = 256 + 16;

    DEVICE_MEMBER static int place(int column) { return (column / 64 * 2 + column % 2) * Pitch + column % 64 / 2; }

    template <class T> DEVICE_MEMBER static void load(const T* row, int columns, float (&values)[Held]) {
#pragma unroll
        for (int turn = 0; turn < 4; turn++) {
            float2 pair = make_float2(0, 0);
            if (turn * 64 < columns) pair = load_pair(row, turn * 64 + int(threadIdx.x & 31) * 2, columns);
            values[turn * 2] = pair.x;
            values[turn * 2 + 1] = pair.y;
        }
    }
    DEVICE_MEMBER static void store(bf16* row, int columns, const float (&values)[Held]) {
#pragma unroll
        for (int turn = 0; turn < 4; turn++) {
            int column = turn * 64 + int(threadIdx.x & 31) * 2;
            float2 pair = make_float2(values[turn * 2], values[turn * 2 + 1]);
            if (turn * 64 >= columns) break;
            if (is_odd(row)) store_between(row, column, columns, pair);
            else store_pair(row, column, columns, pair);
        }
    }

    /// Pairs at odd places: the second of the lane before and the first of the lane's own are stored at once; the ends of the 64 alone.
    DEVICE_MEMBER static void store_between(bf16* row, int column, int columns, float2 pair) {
        int lane = threadIdx.x & 31;
        float before = __shfl_sync(AllLanes, pair.y, (lane + 31) & 31);
        if (lane > 0) store_pair(row, column - 1, columns, make_float2(before, pair.x));
        else if (column < columns) row[column] = to_bf16(pair.x);
        if (lane == 31 && column + 1 < columns) row[column + 1] = to_bf16(pair.y);
    }
};
