// What a launch costs: warp instructions by class, sectors of global memory, wavefronts of shared memory.
#pragma once
#include "program.h"
#include <algorithm>

namespace ptx {

struct Counters {
    u64 launches = 0, blocks = 0, instructions[Classes] = {};
    u64 sectors = 0, least_sectors = 0;       // of 32 bytes
    u64 wavefronts = 0, least_wavefronts = 0; // of 128 bytes: one word of each bank

    void add(const Counters& other) {
        launches += other.launches;
        blocks += other.blocks;
        for (int i = 0; i < Classes; i++) instructions[i] += other.instructions[i];
        sectors += other.sectors;
        least_sectors += other.least_sectors;
        wavefronts += other.wavefronts;
        least_wavefronts += other.least_wavefronts;
    }

    /// A warp's access to global memory: sectors touched, against those that as many distinct bytes would fill.
    void count_global(const u64* address, u32 mask, u32 bytes) {
        u64 touched[2 * Lanes], first[Lanes];
        int sectors_touched = 0, distinct = 0;
        for (int lane = 0; lane < Lanes; lane++) {
            if (!(mask >> lane & 1)) continue;
            first[distinct++] = address[lane];
            touched[sectors_touched++] = address[lane] / 32;
            if ((address[lane] + bytes - 1) / 32 != address[lane] / 32) touched[sectors_touched++] = (address[lane] + bytes - 1) / 32;
        }
        std::sort(touched, touched + sectors_touched);
        std::sort(first, first + distinct);
        sectors += u64(std::unique(touched, touched + sectors_touched) - touched);
        least_sectors += (u64(std::unique(first, first + distinct) - first) * bytes + 31) / 32;
    }

    /// A warp's access to shared memory. 4 bytes a lane are served at once, 8 in two halves, 16 in four quarters; in each, a
    /// bank serves one word at a time, whoever asks for it.
    void count_shared(const u64* address, u32 mask, u32 bytes) {
        int per_phase = bytes <= 4 ? 32 : bytes == 8 ? 16 : 8;
        u32 words = bytes <= 4 ? 1 : bytes / 4;
        u64 all[4 * Lanes];
        int all_count = 0;
        for (int first = 0; first < Lanes; first += per_phase) {
            u64 asked[4 * Lanes];
            int count = 0;
            for (int lane = first; lane < first + per_phase; lane++) {
                if (mask >> lane & 1) for (u32 word = 0; word < words; word++) asked[count++] = address[lane] / 4 + word;
            }
            std::sort(asked, asked + count);
            count = int(std::unique(asked, asked + count) - asked);
            int in_bank[32] = {}, most = 0;
            for (int i = 0; i < count; i++) most = std::max(most, ++in_bank[asked[i] % 32]);
            wavefronts += u64(most);
            std::copy(asked, asked + count, all + all_count);
            all_count += count;
        }
        std::sort(all, all + all_count);
        least_wavefronts += (u64(std::unique(all, all + all_count) - all) + 31) / 32;
    }
};

}
