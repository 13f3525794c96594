// The state of a block that runs: warps in lockstep, shared memory, what it has cost so far.
#pragma once
#include "counters.h"
#include "shared_memory.h"

namespace ptx {

/// Lanes of a warp at one place of the code. Groups that meet again become one.
struct Group { int at; u32 mask; bool waits; };

struct PendingCopy { u32 address, bytes; u8 data[16]; };

/// Asynchronous copies of one lane: committed groups, oldest first, and those that no group has yet.
struct LaneCopies { std::vector<std::vector<PendingCopy>> groups; std::vector<PendingCopy> open; };

struct Warp {
    int index = 0;
    u32 alive = 0;
    std::vector<u64> registers; // [register][lane]
    std::vector<Group> groups;
    LaneCopies copies[Lanes];
    std::vector<u8> local;      // [lane][bytes]

    u64* at(int number) { return registers.data() + size_t(number) * Lanes; }
};

struct Dim3 { unsigned x, y, z; };

/// In which order the warps of a block take turns; between barriers any order must give the same.
enum class Order { Ascending, Descending, Shuffled };

struct Block {
    const Entry* entry = nullptr;
    Dim3 grid{}, size{}, index{};
    Order order = Order::Ascending;
    const u8* parameters = nullptr;
    SharedMemory shared;
    std::vector<Warp> warps;
    Counters counters;
    u64 random = 1;
    /// Whether global memory from the address on is allocated, and which buffer it is of.
    bool (*is_global)(u64 address, u64 bytes) = nullptr;

    u8* global(u64 address, u32 bytes) {
        if (address % bytes) fault("misaligned global access of %u bytes at %llx", bytes, (unsigned long long)address);
        if (!is_global(address, bytes)) fault("global access of %u bytes at %llx, outside of every allocation", bytes, (unsigned long long)address);
        return reinterpret_cast<u8*>(address);
    }
};

/// Generic addresses of shared and of a lane's local memory begin here.
constexpr u64 SharedWindow = u64(0x7e00) << 32, LocalWindow = u64(0x7e01) << 32, WindowBytes = u64(1) << 24;

/// Runs all threads of a block to their end. @throws Fault
void run_block(Block& block, size_t dynamic_bytes);

}

/// Executes the statement for each lane of the mask; a whole warp takes a loop that compiles to vector instructions.
#define EACH_LANE(statement)                                                                     \
    if (mask == ptx::AllLanes) {                                                                 \
        for (int lane = 0; lane < ptx::Lanes; lane++) { statement; }                             \
    } else {                                                                                     \
        for (int lane = 0; lane < ptx::Lanes; lane++) if (mask >> lane & 1) { statement; }       \
    }
