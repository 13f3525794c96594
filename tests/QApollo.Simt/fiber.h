// A fiber per CUDA thread: a small stack and a saved stack pointer.
#pragma once
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <sys/mman.h>
#if !defined(__x86_64__)
#include <ucontext.h>
#endif

namespace simt {

constexpr size_t StackBytes = 64 << 10;

/// Where a fiber continues. On x86-64 only the stack pointer: everything else is saved on the stack itself.
struct Continuation {
#if defined(__x86_64__)
    void* stack_pointer;
#else
    ucontext_t context;
#endif
};

#if defined(__x86_64__)
/// Saves the callee-saved registers on this stack and resumes the other one. Ten times faster than swapcontext.
__attribute__((naked, noinline)) inline void swap_stacks(void** /*save*/, void* /*resume*/) {
    asm("push %rbp; push %rbx; push %r12; push %r13; push %r14; push %r15;"
        "mov %rsp, (%rdi); mov %rsi, %rsp;"
        "pop %r15; pop %r14; pop %r13; pop %r12; pop %rbx; pop %rbp; ret");
}

inline void resume(Continuation& from, Continuation& to) { swap_stacks(&from.stack_pointer, to.stack_pointer); }

/// Stack tops are staggered, so that equal frames of a block's threads do not fall into one cache set.
inline void prepare(Continuation& fiber, unsigned char* stack, unsigned index, void (*entry)()) {
    auto* top = reinterpret_cast<uint64_t*>(stack + StackBytes - 64 - (index % 61) * 64);
    *--top = 0;
    *--top = reinterpret_cast<uint64_t>(entry);
    for (int saved = 0; saved < 6; saved++) *--top = 0;
    fiber.stack_pointer = top;
}
#else
inline void resume(Continuation& from, Continuation& to) { swapcontext(&from.context, &to.context); }

inline void prepare(Continuation& fiber, unsigned char* stack, unsigned, void (*entry)()) {
    getcontext(&fiber.context);
    fiber.context.uc_stack = {stack, 0, StackBytes};
    fiber.context.uc_link = nullptr;
    makecontext(&fiber.context, entry, 0);
}
#endif

/// A lazily mapped stack whose lowest page is not accessible: an overflow faults instead of writing elsewhere.
inline unsigned char* map_stack() {
    void* stack = mmap(nullptr, StackBytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (stack == MAP_FAILED) { perror("simt: mmap"); abort(); }
    mprotect(stack, 4096, PROT_NONE);
    return static_cast<unsigned char*>(stack);
}

}
