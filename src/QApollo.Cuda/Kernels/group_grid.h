// INT8 groups: w = (code - zero) * scale, groups of 32, 64, 128 or 256 along a row, the last one of a row shorter.
// A group belongs to Lanes = group / 8 neighbouring lanes of a warp, 8 values each. Mirrors QApollo.Quantization.GroupGrid
// operation by operation: results are equal bit for bit.
#pragma once
#include "device.h"

struct Grid { float scale, zero; };

/// The scale is the range over 254 rounded up to bf16; the zero point rounds up too, so no code saturates.
DEVICE Grid grid_from_range(float least, float most) {
    least = fminf(least, 0.0f);
    most = fmaxf(most, 0.0f);
    float range = most - least;
    if (range == 0.0f) return {1.0f, 0.0f};
    float scale = fmaxf(range / 254.0f, 1.17549435e-38f);
    scale = __uint_as_float((__float_as_uint(scale) + 0xffffu) & 0xffff0000u);
    return {scale, fminf(ceilf(-least / scale), 255.0f)};
}

DEVICE bf16 scale_bits(float scale) { return bf16(__float_as_uint(scale) >> 16); }

/// Which 8 values of which group a thread has.
struct GroupPosition {
    int row, group, column, count; // count 0: none

    DEVICE_MEMBER static GroupPosition of(int group_index, int lane, int group_size, int groups_per_row, int rows, int columns) {
        GroupPosition p;
        p.row = group_index / groups_per_row;
        p.group = group_index % groups_per_row;
        p.column = p.group * group_size + lane * 8;
        int end = min(columns, (p.group + 1) * group_size);
        p.count = p.row < rows ? max(0, min(8, end - p.column)) : 0;
        return p;
    }
};

/// Butterfly over the lanes of a group.
template <class Operation> DEVICE float group_reduce(float value, int lanes, Operation operation) {
    for (int flip = lanes / 2; flip > 0; flip /= 2) value = operation(value, __shfl_xor_sync(AllLanes, value, flip));
    return value;
}
