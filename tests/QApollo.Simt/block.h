// One thread block: its threads as fibers that run until they must wait, its shared memory, its barriers, warp
// operations and asynchronous copies. Misuse ends the launch with a message instead of hanging.
#pragma once
#include "fiber.h"
#include <cstdarg>
#include <cstring>
#include <mutex>
#include <string>
#include <vector>

namespace simt {

struct Dim3 { unsigned x, y, z; };

struct Kernel {
    const char* name;
    void (*run)(void** parameters);
    unsigned threads;              // the block size the kernel was written for
    unsigned granted_shared_bytes; // by cuFuncSetAttribute
    std::vector<size_t> parameter_bytes;
};

/// In which order ready threads run; a missing barrier shows in at least one of them.
enum class Order { Ascending, Descending, Shuffled };

constexpr unsigned MaxThreads = 1024;
constexpr size_t SharedLimit = 101376; // per block on compute capability 8.6 and 8.9, the smallest of the targets
constexpr size_t StaticSharedLimit = 49152;

struct AsyncCopy { void* target; const void* source; unsigned bytes, filled, group; };

struct Thread {
    Continuation continuation;
    unsigned char* stack;
    Dim3 index;
    unsigned warp, lane, copy_group;
    bool started;
    std::vector<AsyncCopy> copies;
};

/// Lane sets as bit masks. A lane that waits in a warp operation leaves its operands here.
struct Warp {
    unsigned ready, members, arrived, at_barrier, exited;
    unsigned mask[32];
    void* operands[32];
    void* operation[32];
};

struct SharedArray { const void* tag; size_t offset; };

struct Block {
    Thread threads[MaxThreads];
    Warp warps[MaxThreads / 32];
    unsigned thread_count, warp_count, finished, waiting, random;
    Order order;
    Dim3 index, size, grid;
    const Kernel* kernel;
    void** parameters;
    Continuation host;
    bool failed;
    size_t shared_bytes, dynamic_bytes;
    std::vector<SharedArray> arrays;
    std::vector<unsigned char*> free_stacks;
    alignas(128) unsigned char shared[SharedLimit];

    ~Block() { for (auto* stack : free_stacks) munmap(stack, StackBytes); }
};

inline __thread Thread* current __attribute__((tls_model("initial-exec")));
inline __thread Block* block __attribute__((tls_model("initial-exec")));

inline std::mutex error_lock;
inline std::string error_text;

[[noreturn]] inline void leave() {
    resume(current->continuation, block->host);
    __builtin_unreachable();
}

/// Ends the launch: the first message of the launch is what the driver facade reports.
[[noreturn]] inline void fail(const char* format, ...) {
    char reason[512], text[768];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(reason, sizeof reason, format, arguments);
    va_end(arguments);
    const Dim3 &b = block->index, &t = current->index;
    snprintf(text, sizeof text, "%s, block (%u,%u,%u), thread (%u,%u,%u): %s", block->kernel->name, b.x, b.y, b.z, t.x, t.y, t.z, reason);
    {
        std::lock_guard<std::mutex> guard(error_lock);
        if (error_text.empty()) error_text = text;
    }
    block->failed = true;
    leave();
}

inline unsigned next_random() { return (block->random = block->random * 1664525u + 1013904223u) >> 16; }

inline unsigned pick_lane(unsigned ready, unsigned after) {
    if (block->order == Order::Descending) return 31 - __builtin_clz(ready);
    if (block->order == Order::Shuffled) {
        unsigned shift = next_random() & 31;
        unsigned rotated = shift ? ready >> shift | ready << (32 - shift) : ready;
        return (__builtin_ctz(rotated) + shift) & 31;
    }
    unsigned later = after >= 31 ? 0 : ready & (0xfffffffeu << after);
    return __builtin_ctz(later ? later : ready);
}

/// The next thread to run after this one, or null when all wait.
inline Thread* pick(const Thread* from) {
    unsigned warp = from->warp, lane = from->lane;
    if (block->order == Order::Shuffled) warp = next_random() % block->warp_count;
    for (unsigned tried = 0; tried <= block->warp_count; tried++) {
        if (block->warps[warp].ready) return &block->threads[warp * 32 + pick_lane(block->warps[warp].ready, lane)];
        lane = 31;
        if (block->order == Order::Descending) warp = warp ? warp - 1 : block->warp_count - 1;
        else warp = warp + 1 == block->warp_count ? 0 : warp + 1;
    }
    return nullptr;
}

[[noreturn]] inline void deadlock(Thread* thread) {
    unsigned in_barrier = 0, in_warp = 0;
    for (unsigned w = 0; w < block->warp_count; w++) {
        in_barrier += __builtin_popcount(block->warps[w].at_barrier);
        in_warp += __builtin_popcount(block->warps[w].arrived);
    }
    current = thread;
    fail("deadlock: of %u threads %u wait at a barrier, %u in a warp operation, %u have exited",
         block->thread_count, in_barrier, in_warp, block->finished);
}

inline void fiber_main() {
    for (;;) {
        Thread* thread = current;
        block->kernel->run(block->parameters);
        if (!thread->copies.empty()) fail("exits with %zu asynchronous copies that were not waited for", thread->copies.size());
        Warp& warp = block->warps[thread->warp];
        warp.ready &= ~(1u << thread->lane);
        warp.exited |= 1u << thread->lane;
        if (++block->finished == block->thread_count) leave();
        Thread* next = pick(thread);
        if (!next) deadlock(thread);
        unsigned char* stack = thread->stack;
        thread->stack = nullptr;
        current = next;
        if (!next->started) {      // the next thread starts on this stack: no switch at all
            next->started = true;
            next->stack = stack;
            continue;
        }
        block->free_stacks.push_back(stack);
        resume(thread->continuation, next->continuation);
        __builtin_unreachable();
    }
}

inline void start(Thread* thread) {
    thread->started = true;
    if (block->free_stacks.empty()) {
        thread->stack = map_stack();
    } else {
        thread->stack = block->free_stacks.back();
        block->free_stacks.pop_back();
    }
    prepare(thread->continuation, thread->stack, static_cast<unsigned>(thread - block->threads), fiber_main);
}

/// The calling thread is no longer ready: run others until it is.
inline void wait_turn() {
    Thread* thread = current;
    Thread* next = pick(thread);
    if (!next) deadlock(thread);
    if (!next->started) start(next);
    current = next;
    resume(thread->continuation, next->continuation);
}

inline void barrier() {
    if (++block->waiting == block->thread_count) {
        for (unsigned w = 0; w < block->warp_count; w++) {
            block->warps[w].ready |= block->warps[w].at_barrier;
            block->warps[w].at_barrier = 0;
        }
        block->waiting = 0;
        return;
    }
    Warp& warp = block->warps[current->warp];
    warp.ready &= ~(1u << current->lane);
    warp.at_barrier |= 1u << current->lane;
    wait_turn();
}

/// A warp operation: each lane of the mask leaves its operands, the last one to arrive runs the operation for all.
template <class Operands>
inline void collective(unsigned mask, Operands& operands, void (*operation)(Operands**, unsigned)) {
    Warp& warp = block->warps[current->warp];
    unsigned bit = 1u << current->lane;
    mask &= warp.members;
    if (!(mask & bit)) fail("warp operation with mask %08x, which leaves out the calling lane", mask);
    if (mask & warp.exited) fail("warp operation with mask %08x waits for lanes %08x, which have exited", mask, mask & warp.exited);
    warp.operands[current->lane] = &operands;
    warp.operation[current->lane] = reinterpret_cast<void*>(operation);
    warp.mask[current->lane] = mask;
    warp.arrived |= bit;
    if ((warp.arrived & mask) != mask) {
        warp.ready &= ~bit;
        wait_turn();
        return;
    }
    for (unsigned lane = 0; lane < 32; lane++) {
        if (!(mask >> lane & 1)) continue;
        if (warp.mask[lane] != mask) fail("lanes of one warp give different masks: %08x and %08x", mask, warp.mask[lane]);
        if (warp.operation[lane] != reinterpret_cast<void*>(operation)) fail("lanes of one warp meet in different operations");
    }
    operation(reinterpret_cast<Operands**>(warp.operands), mask);
    warp.arrived &= ~mask;
    warp.ready |= mask;
}

inline bool in_shared(const void* address, size_t bytes) {
    auto* first = static_cast<const unsigned char*>(address);
    return first >= block->shared && first + bytes <= block->shared + block->shared_bytes;
}

/// cp.async: the data lands when it is waited for and not before, so that a missing wait shows.
inline void async_copy(void* target, const void* source, unsigned bytes, unsigned filled) {
    if ((reinterpret_cast<size_t>(target) | (filled ? reinterpret_cast<size_t>(source) : 0)) & (bytes - 1)) fail("asynchronous copy: address not aligned to %u bytes", bytes);
    if (!in_shared(target, bytes)) fail("asynchronous copy to outside the block's shared memory");
    current->copies.push_back({target, source, bytes, filled, current->copy_group});
}

inline void async_commit() { current->copy_group++; }

inline void async_wait(unsigned pending) {
    auto& copies = current->copies;
    size_t landed = 0;
    for (; landed < copies.size() && copies[landed].group + pending < current->copy_group; landed++) {
        const AsyncCopy& copy = copies[landed];
        memset(copy.target, 0, copy.bytes);
        if (copy.filled) memcpy(copy.target, copy.source, copy.filled);
    }
    copies.erase(copies.begin(), copies.begin() + landed);
}

/// A __shared__ array, named by a tag of its declaration. It starts as NaN patterns: shared memory is not zeroed.
inline void* shared_array(const void* tag, size_t bytes) {
    for (const SharedArray& array : block->arrays) if (array.tag == tag) return block->shared + array.offset;
    size_t offset = (block->shared_bytes + 127) & ~size_t(127);
    if (offset + bytes - block->dynamic_bytes > StaticSharedLimit + 127 || offset + bytes > SharedLimit) fail("%zu bytes of shared memory are more than a block has", offset + bytes);
    memset(block->shared + offset, 0xff, bytes);
    block->shared_bytes = offset + bytes;
    block->arrays.push_back({tag, offset});
    return block->shared + offset;
}

inline void run_block(const Kernel* kernel, void** parameters, Dim3 index, Dim3 grid, Dim3 size, size_t dynamic_bytes, Order order) {
    Block& b = *block;
    b.kernel = kernel;
    b.parameters = parameters;
    b.index = index;
    b.grid = grid;
    b.size = size;
    b.order = order;
    b.thread_count = size.x * size.y * size.z;
    b.warp_count = (b.thread_count + 31) / 32;
    b.finished = b.waiting = 0;
    b.failed = false;
    b.random = index.x * 2654435761u + index.y * 97u + index.z * 13u + 12345u;
    b.arrays.clear();
    b.shared_bytes = b.dynamic_bytes = dynamic_bytes;
    memset(b.shared, 0xff, dynamic_bytes);
    for (unsigned w = 0; w < b.warp_count; w++) {
        unsigned lanes = b.thread_count - w * 32 < 32 ? b.thread_count - w * 32 : 32;
        unsigned members = lanes == 32 ? 0xffffffffu : (1u << lanes) - 1;
        b.warps[w] = {};
        b.warps[w].ready = b.warps[w].members = members;
    }
    for (unsigned t = 0; t < b.thread_count; t++) {
        Thread& thread = b.threads[t];
        thread.index = {t % size.x, t / size.x % size.y, t / size.x / size.y};
        thread.warp = t / 32;
        thread.lane = t % 32;
        thread.copy_group = 0;
        thread.started = false;
        thread.stack = nullptr;
        thread.copies.clear();
    }
    Thread* first = &b.threads[order == Order::Descending ? b.thread_count - 1 : 0];
    start(first);
    current = first;
    resume(b.host, first->continuation);
    for (unsigned t = 0; t < b.thread_count; t++) {
        if (b.threads[t].stack) b.free_stacks.push_back(b.threads[t].stack);
        b.threads[t].stack = nullptr;
    }
}

}
