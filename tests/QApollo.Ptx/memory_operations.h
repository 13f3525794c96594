// Loads, stores, atomics and asynchronous copies (PTX ISA 7.8, sections 9.7.8 and 9.7.12).
#pragma once
#include "block.h"

namespace ptx {

/// Where each lane's address points: one space for all lanes, or the manual leaves the access undefined.
inline Space resolve(const Instruction& i, Warp& warp, u32 mask, u64* address) {
    const u64* base = warp.at(i.source[0]);
    u32 shared = 0, local = 0;
    for (int lane = 0; lane < Lanes; lane++) {
        if (!(mask >> lane & 1)) continue;
        address[lane] = base[lane] + u64(i.offset);
        if (i.variant != Generic) continue;
        if (address[lane] - SharedWindow < WindowBytes) {
            address[lane] -= SharedWindow;
            shared |= 1u << lane;
        } else if (address[lane] - LocalWindow < WindowBytes) {
            address[lane] -= LocalWindow;
            local |= 1u << lane;
        }
    }
    if (i.variant != Generic) return Space(i.variant);
    if ((shared && shared != mask) || (local && local != mask)) fault("the lanes of one access go to several memory spaces");
    return shared ? SharedSpace : local ? LocalSpace : GlobalSpace;
}

inline u8* local(const Block& block, Warp& warp, int lane, u64 address, u32 bytes) {
    size_t size = block.entry->local_bytes;
    if (address > size || bytes > size - address) fault("local access of %u bytes at %llu, of %zu", bytes, (unsigned long long)address, size);
    if (address % bytes) fault("misaligned local access of %u bytes at %llu", bytes, (unsigned long long)address);
    return warp.local.data() + size_t(lane) * size + address;
}

inline void count_access(Block& block, Space space, bool is_load, const u64* address, u32 mask, u32 bytes) {
    Counters& counters = block.counters;
    if (space == LocalSpace) {
        counters.instructions[Local]++;
    } else if (space == SharedSpace) {
        counters.instructions[is_load ? LoadShared : StoreShared]++;
        counters.count_shared(address, mask, bytes);
    } else {
        counters.instructions[is_load ? LoadGlobal : StoreGlobal]++;
        counters.count_global(address, mask, bytes);
    }
}

inline u64 widened(const u8* data, int bytes, bool is_signed) {
    u64 value = 0;
    memcpy(&value, data, size_t(bytes));
    if (!is_signed || bytes == 8) return value;
    int unused = 64 - 8 * bytes;
    return u64(i64(value << unused) >> unused);
}

inline void load(Block& block, Warp& warp, const Instruction& i, u32 mask) {
    u64 address[Lanes];
    u32 bytes = u32(i.bytes * i.vector);
    Space space = resolve(i, warp, mask, address);
    count_access(block, space, true, address, mask, bytes);
    for (int lane = 0; lane < Lanes; lane++) {
        if (!(mask >> lane & 1)) continue;
        const u8* data = space == SharedSpace ? block.shared.read(address[lane], bytes, warp.index)
            : space == LocalSpace ? local(block, warp, lane, address[lane], bytes) : block.global(address[lane], bytes);
        for (int element = 0; element < i.vector; element++) warp.at(i.target[element])[lane] = widened(data + element * i.bytes, i.bytes, i.is_signed);
    }
}

inline void store(Block& block, Warp& warp, const Instruction& i, u32 mask) {
    u64 address[Lanes];
    u32 bytes = u32(i.bytes * i.vector);
    Space space = resolve(i, warp, mask, address);
    count_access(block, space, false, address, mask, bytes);
    block.shared.begin_access();
    for (int lane = 0; lane < Lanes; lane++) {
        if (!(mask >> lane & 1)) continue;
        u8 data[16];
        for (int element = 0; element < i.vector; element++) memcpy(data + element * i.bytes, &warp.at(i.source[1 + element])[lane], size_t(i.bytes));
        if (space == SharedSpace) block.shared.write(address[lane], data, bytes, warp.index);
        else memcpy(space == LocalSpace ? local(block, warp, lane, address[lane], bytes) : block.global(address[lane], bytes), data, bytes);
    }
}

inline void load_parameter(Block& block, Warp& warp, const Instruction& i, u32 mask) {
    for (int element = 0; element < i.vector; element++) {
        u64 value = widened(block.parameters + i.offset + element * i.bytes, i.bytes, i.is_signed);
        u64* target = warp.at(i.target[element]);
        EACH_LANE(target[lane] = value)
    }
}

/// atom.global.add and red.global.add of 32 or 64 bits.
template <class Word> void atomic_add(Block& block, Warp& warp, const Instruction& i, u32 mask) {
    const u64 *base = warp.at(i.source[0]), *value = warp.at(i.source[1]);
    for (int lane = 0; lane < Lanes; lane++) {
        if (!(mask >> lane & 1)) continue;
        auto* cell = reinterpret_cast<Word*>(block.global(base[lane] + u64(i.offset), sizeof(Word)));
        Word old = __atomic_fetch_add(cell, Word(value[lane]), __ATOMIC_RELAXED);
        if (i.targets) warp.at(i.target[0])[lane] = old;
    }
}

/// cp.async.{cg, ca}.shared.global [target], [source], size, bytes: those beyond `bytes` become zero. Size is 16, with .ca also 4 or 8.
inline void async_copy(Block& block, Warp& warp, const Instruction& i, u32 mask) {
    u64 target[Lanes], source[Lanes];
    u32 reading = 0, size = 0;
    for (int lane = 0; lane < Lanes; lane++) {
        if (!(mask >> lane & 1)) continue;
        target[lane] = warp.at(i.source[0])[lane] + u64(i.offset);
        source[lane] = warp.at(i.source[1])[lane];
        size = u32(warp.at(i.source[2])[lane]);
        u32 filled = u32(warp.at(i.source[3])[lane]);
        bool is_size = size == 16 || (i.variant && (size == 4 || size == 8));
        if (!is_size || filled > size) fault("cp.async of %u of %u bytes", filled, size);
        if (target[lane] % size || source[lane] % size) fault("misaligned cp.async to %llu from %llx", (unsigned long long)target[lane], (unsigned long long)source[lane]);
        if (filled) reading |= 1u << lane;
    }
    block.counters.count_shared(target, mask, size);
    if (reading) block.counters.count_global(source, reading, size);
    for (int lane = 0; lane < Lanes; lane++) {
        if (!(mask >> lane & 1)) continue;
        u32 filled = u32(warp.at(i.source[3])[lane]);
        PendingCopy copy{u32(target[lane]), size, {}};
        if (filled) {
            if (!block.is_global(source[lane], filled)) fault("cp.async of %u bytes from %llx, outside of every allocation", filled, (unsigned long long)source[lane]);
            memcpy(copy.data, reinterpret_cast<u8*>(source[lane]), filled);
        }
        block.shared.begin_copy(target[lane], size, warp.index);
        warp.copies[lane].open.push_back(copy);
    }
}

inline void async_commit(Block&, Warp& warp, const Instruction&, u32 mask) {
    for (int lane = 0; lane < Lanes; lane++) {
        if (!(mask >> lane & 1)) continue;
        LaneCopies& copies = warp.copies[lane];
        copies.groups.push_back(std::move(copies.open));
        copies.open.clear();
    }
}

/// cp.async.wait_group n: all but the newest n groups of the lane are complete.
inline void async_wait(Block& block, Warp& warp, const Instruction& i, u32 mask) {
    for (int lane = 0; lane < Lanes; lane++) {
        if (!(mask >> lane & 1)) continue;
        auto& groups = warp.copies[lane].groups;
        while (groups.size() > size_t(i.offset)) {
            for (PendingCopy& copy : groups.front()) block.shared.end_copy(copy.address, copy.data, copy.bytes, warp.index);
            groups.erase(groups.begin());
        }
    }
}

}
