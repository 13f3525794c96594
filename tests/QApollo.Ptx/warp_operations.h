// What the lanes of a warp do together (PTX ISA 7.8, sections 9.7.8.14 shfl, 9.7.12 vote, 9.7.13 ldmatrix and mma).
#pragma once
#include "block.h"

namespace ptx {

inline void require_whole_warp(const char* what, u32 mask) {
    if (mask != AllLanes) fault("%s by lanes %08x: it needs all 32", what, mask);
}

/// Every lane that executes is a member, and every member that has not ended executes.
inline void require_members(const char* what, const Warp& warp, const u64* members, u32 mask) {
    for (int lane = 0; lane < Lanes; lane++) {
        if ((mask >> lane & 1) && !(members[lane] >> lane & 1)) fault("%s: lane %d is not a member of its mask %08x", what, lane, u32(members[lane]));
    }
    for (int lane = 0; lane < Lanes; lane++) {
        if ((mask >> lane & 1) && (u32(members[lane]) & warp.alive) != mask) fault("%s of lanes %08x by lanes %08x", what, u32(members[lane]), mask);
    }
}

/// shfl.sync; the mode is the instruction's variant: 0 idx, 1 up, 2 down, 3 bfly.
inline void shuffle(Block&, Warp& warp, const Instruction& i, u32 mask) {
    const u64 *value = warp.at(i.source[0]), *operand = warp.at(i.source[1]), *limits = warp.at(i.source[2]);
    require_members("shfl.sync", warp, warp.at(i.source[3]), mask);
    u64 result[Lanes], valid[Lanes];
    for (int lane = 0; lane < Lanes; lane++) {
        if (!(mask >> lane & 1)) continue;
        int by = int(operand[lane] & 31), clamp = int(limits[lane] & 31), segment = int(limits[lane] >> 8 & 31);
        int most = (lane & segment) | (clamp & ~segment), least = lane & segment, from = lane;
        switch (i.variant) {
            case 0: from = least | (by & ~segment); valid[lane] = from <= most; break;
            case 1: from = lane - by; valid[lane] = from >= most; break;
            case 2: from = lane + by; valid[lane] = from <= most; break;
            default: from = lane ^ by; valid[lane] = from <= most; break;
        }
        if (!valid[lane]) from = lane;
        if (!(mask >> from & 1)) fault("shfl.sync: lane %d reads lane %d, which takes no part", lane, from);
        result[lane] = u32(value[from]);
    }
    for (int lane = 0; lane < Lanes; lane++) {
        if (!(mask >> lane & 1)) continue;
        warp.at(i.target[0])[lane] = result[lane];
        if (i.targets > 1) warp.at(i.target[1])[lane] = valid[lane];
    }
}

/// vote.sync; variant 0 any, 1 all, 2 ballot.
inline void vote(Block&, Warp& warp, const Instruction& i, u32 mask) {
    const u64* predicate = warp.at(i.source[0]);
    require_members("vote.sync", warp, warp.at(i.source[1]), mask);
    u32 holds = 0;
    for (int lane = 0; lane < Lanes; lane++) if ((mask >> lane & 1) && predicate[lane]) holds |= 1u << lane;
    u64 result = i.variant == 0 ? holds != 0 : i.variant == 1 ? holds == mask : holds;
    u64* target = warp.at(i.target[0]);
    EACH_LANE(target[lane] = result)
}

inline void warp_barrier(Block&, Warp& warp, const Instruction& i, u32 mask) { require_members("bar.warp.sync", warp, warp.at(i.source[0]), mask); }

/// ldmatrix of 1, 2 or 4 matrices of 8 x 8 halves: matrix k has its rows at the addresses of lanes 8k .. 8k + 7. Lane l gets elements
/// (l / 4, 2 (l % 4)) and the next one; .trans (variant 1) exchanges row and column.
inline void load_matrix(Block& block, Warp& warp, const Instruction& i, u32 mask) {
    require_whole_warp("ldmatrix", mask);
    u64 address[Lanes];
    u16 rows[Lanes][8];
    int addressed = 8 * i.targets;
    u32 lanes = addressed == 32 ? AllLanes : (1u << addressed) - 1;
    for (int lane = 0; lane < addressed; lane++) {
        address[lane] = warp.at(i.source[0])[lane] + u64(i.offset);
        memcpy(rows[lane], block.shared.read(address[lane], 16, warp.index), 16);
    }
    block.counters.count_shared(address, lanes, 16);
    for (int matrix = 0; matrix < i.targets; matrix++) {
        for (int lane = 0; lane < Lanes; lane++) {
            int row = lane / 4, column = 2 * (lane % 4);
            auto element = [&](int r, int c) { return i.variant ? rows[8 * matrix + c][r] : rows[8 * matrix + r][c]; };
            warp.at(i.target[matrix])[lane] = u32(element(row, column + 1)) << 16 | element(row, column);
        }
    }
}

/// mma.m16n8k16 of bfloat16 with binary32 sums. Lane l holds, in pairs of halves: of A rows l / 4 (+ 8 for registers 1, 3) and columns
/// 2 (l % 4) (+ 8 for registers 2, 3); of B rows 2 (l % 4) (+ 8 for register 1) and column l / 4; of C and D rows l / 4 (+ 8 for
/// registers 2, 3) and column 2 (l % 4) (+ 1 for odd ones). The manual leaves order and precision of the sum open, at least binary32.
inline void multiply_matrices(Block&, Warp& warp, const Instruction& i, u32 mask) {
    require_whole_warp("mma", mask);
    double a[16][16], b[16][8];
    for (int lane = 0; lane < Lanes; lane++) {
        int group = lane / 4, pair = 2 * (lane % 4);
        for (int half = 0; half < 2; half++) {
            for (int r = 0; r < 4; r++) a[group + (r & 1) * 8][pair + half + (r >> 1) * 8] = double(bf16_value(u16(warp.at(i.source[r])[lane] >> (16 * half))));
            for (int r = 0; r < 2; r++) b[pair + half + r * 8][group] = double(bf16_value(u16(warp.at(i.source[4 + r])[lane] >> (16 * half))));
        }
    }
    double sums[16][8];
    for (int lane = 0; lane < Lanes; lane++) {
        for (int r = 0; r < 4; r++) sums[lane / 4 + (r >> 1) * 8][2 * (lane % 4) + (r & 1)] = double(get<float>(warp.at(i.source[6 + r])[lane]));
    }
    for (int row = 0; row < 16; row++) {
        for (int k = 0; k < 16; k++) for (int column = 0; column < 8; column++) sums[row][column] += a[row][k] * b[k][column];
    }
    for (int lane = 0; lane < Lanes; lane++) {
        for (int r = 0; r < 4; r++) warp.at(i.target[r])[lane] = bits_of(float(sums[lane / 4 + (r >> 1) * 8][2 * (lane % 4) + (r & 1)]));
    }
}

}
