// How a block runs: warps take turns between barriers; within a warp the lanes that are furthest behind go first, so that
// lanes that a branch parted meet again.
#include "block.h"
#include <stdlib.h>

namespace ptx {
namespace {

u64 next_random(Block& block) {
    block.random ^= block.random << 13;
    block.random ^= block.random >> 7;
    block.random ^= block.random << 17;
    return block.random;
}

[[noreturn]] void locate(const Fault& reason, const Block& block, const Warp& warp, const Instruction& i) {
    fault("%s; line %d: %s; block %u,%u,%u warp %d", reason.what(), i.line, i.text, block.index.x, block.index.y, block.index.z, warp.index);
}

u64 special_value(const Block& block, SpecialRegister special, unsigned thread, size_t dynamic_start) {
    const Dim3& size = block.size;
    auto along = [&](const Dim3& d) { return special.axis == 0 ? d.x : special.axis == 1 ? d.y : d.z; };
    switch (special.what) {
        case Value::ThreadIndex: return along({thread % size.x, thread / size.x % size.y, thread / size.x / size.y});
        case Value::BlockSize: return along(size);
        case Value::BlockIndex: return along(block.index);
        case Value::GridSize: return along(block.grid);
        case Value::LaneIndex: return thread % Lanes;
        default: return dynamic_start;
    }
}

void prepare(Block& block, Warp& warp, int index, unsigned threads, size_t dynamic_start) {
    const Entry& entry = *block.entry;
    unsigned lanes = std::min(unsigned(Lanes), threads - unsigned(index) * Lanes);
    warp.index = index;
    warp.alive = lanes == Lanes ? AllLanes : (1u << lanes) - 1;
    warp.registers.resize(size_t(entry.registers) * Lanes); // thousands, nearly all written before they are read: not cleared
    warp.groups.assign(1, Group{0, warp.alive, false});
    warp.local.assign(entry.local_bytes * Lanes, 0xff);
    for (auto& copies : warp.copies) {
        copies.groups.clear();
        copies.open.clear();
    }
    for (auto& [number, value] : entry.constants) std::fill_n(warp.at(number), Lanes, value);
    for (auto& [number, special] : entry.specials) {
        for (int lane = 0; lane < Lanes; lane++) warp.at(number)[lane] = special_value(block, special, unsigned(index * Lanes + lane), dynamic_start);
    }
}

/// The group that goes on next, joined with all others at its place; null when all wait at a barrier.
Group* next_group(Warp& warp) {
    Group* next = nullptr;
    for (Group& group : warp.groups) if (!group.waits && (!next || group.at < next->at)) next = &group;
    if (!next || warp.groups.size() == 1) return next;
    size_t kept = size_t(next - warp.groups.data());
    for (size_t i = warp.groups.size(); i-- > 0;) {
        Group& group = warp.groups[i];
        if (i == kept || group.waits || group.at != warp.groups[kept].at) continue;
        warp.groups[kept].mask |= group.mask;
        warp.groups.erase(warp.groups.begin() + long(i));
        if (i < kept) kept--;
    }
    return &warp.groups[kept];
}

u32 guarded(Warp& warp, const Instruction& i, u32 mask) {
    if (i.guard < 0) return mask;
    const u64* predicate = warp.at(i.guard);
    u32 on = 0;
    for (int lane = 0; lane < Lanes; lane++) if ((mask >> lane & 1) && bool(predicate[lane]) != i.guard_negated) on |= 1u << lane;
    return on;
}

/// One instruction of a group.
void step(Block& block, Warp& warp, Group& group) {
    const Instruction& i = block.entry->code[size_t(group.at)];
    u32 mask = guarded(warp, i, group.mask);
    if (mask) block.entry->reached[size_t(group.at)] = 1;
    switch (i.kind) {
        case Jump:
            block.counters.instructions[Jump]++;
            if (i.is_uniform && mask && mask != group.mask) fault("bra.uni by lanes %08x of %08x", mask, group.mask);
            if (mask == group.mask) {
                group.at = i.jump;
            } else if (!mask) {
                group.at++;
            } else {
                Group jumping{i.jump, mask, false};
                group.mask &= ~mask;
                group.at++;
                warp.groups.push_back(jumping);
            }
            return;
        case Exit:
            warp.alive &= ~mask;
            for (int lane = 0; lane < Lanes; lane++) {
                if (!(mask >> lane & 1)) continue;
                LaneCopies& copies = warp.copies[lane];
                bool pending = !copies.open.empty();
                for (auto& committed : copies.groups) pending |= !committed.empty();
                if (pending) fault("lane %d ends with asynchronous copies that it did not wait for", lane);
            }
            if (mask == group.mask) {
                warp.groups.erase(warp.groups.begin() + (&group - warp.groups.data()));
            } else {
                group.mask &= ~mask;
                group.at++;
            }
            return;
        case Barrier:
            if (mask != group.mask) fault("a barrier for lanes %08x of %08x", mask, group.mask);
            block.counters.instructions[Barrier]++;
            group.waits = true;
            return;
        default:
            group.at++;
            if (!mask) return;
            if (!i.counts_itself) block.counters.instructions[i.kind]++;
            i.run(block, warp, i, mask);
    }
}

/// Runs a warp until it waits, ends, or has used up its instructions.
void run(Block& block, Warp& warp, u64 budget) {
    while (budget--) {
        Group* group = next_group(warp);
        if (!group) return;
        int at = group->at;
        try {
            step(block, warp, *group);
        } catch (const Fault& reason) {
            locate(reason, block, warp, block.entry->code[size_t(at)]);
        }
    }
}

bool can_run(const Warp& warp) {
    for (const Group& group : warp.groups) if (!group.waits) return true;
    return false;
}

/// Until every warp waits or has ended.
void run_to_barrier(Block& block) {
    size_t count = block.warps.size();
    if (block.order != Order::Shuffled) {
        for (size_t i = 0; i < count; i++) run(block, block.warps[block.order == Order::Ascending ? i : count - 1 - i], ~u64(0));
        return;
    }
    for (;;) {
        std::vector<Warp*> ready;
        for (Warp& warp : block.warps) if (can_run(warp)) ready.push_back(&warp);
        if (ready.empty()) return;
        constexpr u64 LongestTurn = 40;
        run(block, *ready[next_random(block) % ready.size()], 1 + next_random(block) % LongestTurn);
    }
}

/// Lets all that wait go on. False when nobody does: the block has ended.
bool pass_barrier(Block& block) {
    const Group* first = nullptr;
    for (Warp& warp : block.warps) {
        for (Group& group : warp.groups) {
            if (first && first->at != group.at) {
                const Instruction &one = block.entry->code[size_t(first->at)], &other = block.entry->code[size_t(group.at)];
                fault("threads wait at different barriers; line %d and line %d; block %u,%u,%u warp %d", one.line, other.line, block.index.x, block.index.y, block.index.z, warp.index);
            }
            if (!first) first = &group;
        }
    }
    if (!first) return false;
    for (Warp& warp : block.warps) {
        if (!warp.alive) {
            fault("a barrier that not all threads reach: warp %d has ended; line %d; block %u,%u,%u", warp.index,
                block.entry->code[size_t(first->at)].line, block.index.x, block.index.y, block.index.z);
        }
    }
    for (Warp& warp : block.warps) {
        for (Group& group : warp.groups) {
            group.waits = false;
            group.at++;
        }
    }
    block.shared.pass_barrier();
    return true;
}

}

void run_block(Block& block, size_t dynamic_bytes) {
    const Entry& entry = *block.entry;
    unsigned threads = block.size.x * block.size.y * block.size.z;
    size_t alignment = entry.dynamic_alignment, dynamic_start = (entry.static_shared + alignment - 1) / alignment * alignment;
    block.shared.reset(dynamic_start + dynamic_bytes);
    block.random = 88172645463325252ull;
    block.warps.resize((threads + Lanes - 1) / Lanes);
    for (size_t i = 0; i < block.warps.size(); i++) prepare(block, block.warps[i], int(i), threads, dynamic_start);
    do run_to_barrier(block); while (pass_barrier(block));
    block.counters.blocks++;
}

}
