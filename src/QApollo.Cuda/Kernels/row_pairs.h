// Rows of any length at any address, two neighbouring columns per lane: a warp takes 64 of them, which begin where the address is a
// multiple of two elements, so that each access touches its sectors once. A row at the other alignment is put together from two lanes.
#pragma once
#include "device.h"

DEVICE float to_float(u8 code) { return float(code); }

DEVICE float2 aligned_pair(const float* source) { return *reinterpret_cast<const float2*>(source); }
DEVICE float2 aligned_pair(const bf16* source) {
    u32 pair = *reinterpret_cast<const u32*>(source);
    return make_float2(low_float(pair), high_float(pair));
}
DEVICE float2 aligned_pair(const u8* source) {
    u32 pair = *reinterpret_cast<const u16*>(source);
    return make_float2(float(pair & 255), float(pair >> 8));
}
DEVICE void store_aligned_pair(float* target, float2 values) { *reinterpret_cast<float2*>(target) = values; }
DEVICE void store_aligned_pair(bf16* target, float2 values) { *reinterpret_cast<u32*>(target) = pack_bf16(values.x, values.y); }

/// Whether an element stands at an odd place, from which no pair can be accessed at once.
template <class T> DEVICE int is_odd(const T* element) { return int(reinterpret_cast<u64>(element) / sizeof(T)) & 1; }

/// A row's columns as a warp takes them: 64 from `first` on, the lane's own at `column`.
template <class T> DEVICE int first_column(const T* aligned_row, int warp) { return warp * 64 - is_odd(aligned_row); }

template <class T> DEVICE float element(const T* row, int column, int columns) { return column >= 0 && column < columns ? to_float(row[column]) : 0.0f; }

/// Columns `column`, at an even place, and the next, zeros outside of the row.
template <class T> DEVICE float2 pair_within(const T* row, int column, int columns) {
    if (column >= 0 && column + 2 <= columns) return aligned_pair(row + column);
    return make_float2(element(row, column, columns), element(row, column + 1, columns));
}

/// The same from any place; each lane two columns behind the lane before it. For whole warps.
template <class T> DEVICE float2 load_pair(const T* row, int column, int columns) {
    if (!is_odd(row + column)) return pair_within(row, column, columns);
    int lane = threadIdx.x & 31;
    float2 pair = pair_within(row, column - 1, columns);
    float next = __shfl_sync(AllLanes, pair.x, (lane + 1) & 31);
    return make_float2(pair.y, lane == 31 ? element(row, column + 1, columns) : next);
}

/// The same columns back, those within the row; they stand at an even place.
template <class T> DEVICE void store_pair(T* row, int column, int columns, float2 values) {
    if (column >= 0 && column + 2 <= columns) {
        store_aligned_pair(row + column, values);
        return;
    }
    if (column >= 0 && column < columns) row[column] = from_float<T>(values.x);
    if (column + 1 >= 0 && column + 1 < columns) row[column + 1] = from_float<T>(values.y);
}
