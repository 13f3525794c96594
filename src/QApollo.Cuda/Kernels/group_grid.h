// INT8 groups: w = (code - zero + residual / 2^bits) * scale, groups of 32, 64, 128 or 256 along a row, the last one of a row shorter.
// A group belongs to Lanes = group / 8 neighbouring lanes of a warp, 8 values each. Mirrors QApollo.Quantization.GroupGrid
// operation by operation: results are equal bit for bit.
#pragma once
#include "device.h"

struct Grid { float scale, zero; };

/// Zero point 128, codes 1..255; the scale is max(|w|) / 127 rounded up to a value that bf16 and f16 hold: below 2^-17 a multiple of 2^-24.
DEVICE Grid symmetric_grid_from_range(float least, float most) {
    float magnitude = fmaxf(-fminf(least, 0.0f), fmaxf(most, 0.0f));
    if (magnitude == 0.0f) return {1.0f, 128.0f};
    float scale = fmaxf(magnitude / 127.0f, 5.9604644775390625e-8f);
    if (scale < 7.62939453125e-6f) return {ceilf(scale * 16777216.0f) * 5.9604644775390625e-8f, 128.0f};
    return {__uint_as_float((__float_as_uint(scale) + 0xffffu) & 0xffff0000u), 128.0f};
}

/// The scale is the range over 254 rounded up to bf16; the zero point rounds up too, so no code saturates.
DEVICE Grid grid_from_range(float least, float most, bool symmetric) {
    if (symmetric) return symmetric_grid_from_range(least, most);
    least = fminf(least, 0.0f);
    most = fmaxf(most, 0.0f);
    float range = most - least;
    if (range == 0.0f) return {1.0f, 0.0f};
    float scale = fmaxf(range / 254.0f, 1.17549435e-38f);
    scale = __uint_as_float((__float_as_uint(scale) + 0xffffu) & 0xffff0000u);
    return {scale, fminf(ceilf(-least / scale), 255.0f)};
}

DEVICE bf16 scale_bits(float scale) { return bf16(__float_as_uint(scale) >> 16); }

/// Code i of 8, as load_codes8 packs them.
DEVICE u32 code_of(uint2 codes, int i) { return (i < 4 ? codes.x : codes.y) >> (i % 4 * 8) & 255; }

// Residuals: two's complement, 0, 4 or 8 bits; [rows, columns] bytes for 8, [rows, columns / 2] for 4, the value in the even column
// in the low half of a byte. Packed for 8 values: like codes, or 4 bits each in x.

/// Those of elements at .. at + count - 1 of the matrix; `vector` as for codes. With 4 bits at and count are even.
DEVICE uint2 load_residuals8(const u8* source, i64 at, int count, int bits, bool vector) {
    if (bits == 8) return load_codes8(source + at, count, vector);
    u32 word = 0;
    if (bits == 4) {
        if (vector && count >= 8) {
            word = *reinterpret_cast<const u32*>(source + at / 2);
        } else {
#pragma unroll
            for (int i = 0; i < 4; i++) if (2 * i < count) word |= u32(source[at / 2 + i]) << (8 * i);
        }
    }
    return make_uint2(word, 0);
}

DEVICE void store_residuals8(u8* target, i64 at, int count, int bits, bool vector, uint2 residuals) {
    if (bits == 8) {
        store_codes8(target + at, count, vector, residuals);
    } else if (bits == 4) {
        if (vector && count >= 8) {
            *reinterpret_cast<u32*>(target + at / 2) = residuals.x;
        } else {
#pragma unroll
            for (int i = 0; i < 4; i++) if (2 * i < count) target[at / 2 + i] = u8(residuals.x >> (8 * i));
        }
    }
}

DEVICE int residual_of(uint2 residuals, int i, int bits) {
    return bits == 4 ? int(residuals.x << (28 - 4 * i)) >> 28 : int(code_of(residuals, i) << 24) >> 24;
}

/// A value in units of 2^-bits of a code, cut into the nearest code (half up) and the rest.
struct FineCode {
    float value;
    u32 code;
    int residual;

    DEVICE_MEMBER static FineCode of(float rounded, int bits, bool symmetric) {
        FineCode f;
        f.value = fminf(fmaxf(rounded, symmetric ? float(1 << bits) : 0.0f), float(255 << bits));
        u32 fine = u32(f.value);
        f.code = (fine + (1u << bits >> 1)) >> bits;
        f.residual = int(fine) - int(f.code << bits);
        return f;
    }

    DEVICE_MEMBER void put(int i, int bits, uint2& codes, uint2& residuals) const {
        u32 rest = bits == 4 ? (u32(residual) & 15) << (4 * i) : (u32(residual) & 255) << (i % 4 * 8);
        if (i < 4) {
            codes.x |= code << (i % 4 * 8);
            residuals.x |= rest;
        } else {
            codes.y |= code << (i % 4 * 8);
            if (bits == 4) residuals.x |= rest;
            else residuals.y |= rest;
        }
    }
};

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
