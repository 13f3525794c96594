// Asynchronous copies to shared memory, matrix fragments and the tensor core product, as of compute capability 8.0.
#pragma once
#include "device.h"

#ifdef ON_GPU
/// An address in the window of shared memory: converted once, outside of loops, where a generic pointer is converted at every use.
typedef u32 SharedAddress;

DEVICE SharedAddress shared_address(const void* pointer) {
    u64 address;
    asm("cvta.to.shared.u64 %0, %1;" : "=l"(address) : "l"(pointer));
    return u32(address);
}

/// To shared memory; both addresses are multiples of the size.
DEVICE void async_copy16(SharedAddress target, const void* source) {
    asm volatile("cp.async.cg.shared.global [%0], [%1], 16;" ::"r"(target), "l"(source) : "memory");
}
DEVICE void async_copy4(SharedAddress target, const void* source) {
    asm volatile("cp.async.ca.shared.global [%0], [%1], 4;" ::"r"(target), "l"(source) : "memory");
}
DEVICE void async_commit() { asm volatile("cp.async.commit_group;" ::: "memory"); }
template <int Pending> DEVICE void async_wait() { asm volatile("cp.async.wait_group %0;" ::"n"(Pending) : "memory"); }

DEVICE void store_shared(SharedAddress target, u32 value) { asm volatile("st.shared.u32 [%0], %1;" ::"r"(target), "r"(value) : "memory"); }
DEVICE void store_shared(SharedAddress target, uint4 value) {
    asm volatile("st.shared.v4.u32 [%0], {%1, %2, %3, %4};" ::"r"(target), "r"(value.x), "r"(value.y), "r"(value.z), "r"(value.w) : "memory");
}

/// Four 8x8 matrices; lane 8m + r names row r of matrix m (16 bytes, aligned).
DEVICE void load_fragments(u32 (&fragments)[4], SharedAddress row) {
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0,%1,%2,%3}, [%4];"
                 : "=r"(fragments[0]), "=r"(fragments[1]), "=r"(fragments[2]), "=r"(fragments[3])
                 : "r"(row) : "memory");
}
DEVICE void load_fragments_transposed(u32 (&fragments)[4], SharedAddress row) {
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0,%1,%2,%3}, [%4];"
                 : "=r"(fragments[0]), "=r"(fragments[1]), "=r"(fragments[2]), "=r"(fragments[3])
                 : "r"(row) : "memory");
}

/// d[16, 8] += a[16, 16] b[16, 8]. Lane l holds of d: rows l / 4 and l / 4 + 8, columns 2 (l % 4) and the next.
DEVICE void multiply_add(float (&d)[4], const u32 (&a)[4], u32 b0, u32 b1) {
    asm volatile("mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, {%0,%1,%2,%3};"
                 : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
                 : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b0), "r"(b1));
}
#else
typedef unsigned char* SharedAddress;

DEVICE SharedAddress shared_address(const void* pointer) { return static_cast<unsigned char*>(const_cast<void*>(pointer)); }
DEVICE void async_copy16(SharedAddress target, const void* source) { simt::async_copy(target, source, 16, 16); }
DEVICE void async_copy4(SharedAddress target, const void* source) { simt::async_copy(target, source, 4, 4); }
DEVICE void async_commit() { simt::async_commit(); }
template <int Pending> DEVICE void async_wait() { simt::async_wait(Pending); }
DEVICE void store_shared(SharedAddress target, u32 value) { *reinterpret_cast<u32*>(target) = value; }
DEVICE void store_shared(SharedAddress target, uint4 value) { *reinterpret_cast<uint4*>(target) = value; }
DEVICE void load_fragments(u32 (&fragments)[4], SharedAddress row) { simt::load_matrix(fragments, row, false); }
DEVICE void load_fragments_transposed(u32 (&fragments)[4], SharedAddress row) { simt::load_matrix(fragments, row, true); }
DEVICE void multiply_add(float (&d)[4], const u32 (&a)[4], u32 b0, u32 b1) { simt::multiply_add(d, a, b0, b1); }
#endif

/// The same value, of which the assembler cannot know how it was formed: short of registers, it forms cheap values anew at each use, and
/// fills loops with that. To be called by whole warps.
DEVICE int kept(int value) { return __shfl_xor_sync(AllLanes, value, 0); }

/// The 16 bytes from `offset` (0 to 15) on of the 32 in `low` and `high`.
DEVICE uint4 shift16(uint4 low, uint4 high, u32 offset) {
    u32 w[8] = {low.x, low.y, low.z, low.w, high.x, high.y, high.z, high.w};
    // By 8, 4 and 0..3 bytes: selecting by index would put them into local memory.
#pragma unroll
    for (int i = 0; i < 6; i++) w[i] = offset & 8 ? w[i + 2] : w[i];
#pragma unroll
    for (int i = 0; i < 5; i++) w[i] = offset & 4 ? w[i + 1] : w[i];
#pragma unroll
    for (int i = 0; i < 4; i++) w[i] = __funnelshift_r(w[i], w[i + 1], (offset & 3) * 8);
    return make_uint4(w[0], w[1], w[2], w[3]);
}

/// 16 bytes from `offset` (0 to 15) on of the memory at `words`, a multiple of 16, of which the first `valid` (1 to 16) are read and the
/// others are anything. Reads aligned 16-byte words, and only those that hold a valid byte.
DEVICE uint4 load16_at(const void* words, u32 offset, int valid) {
    const uint4* source = static_cast<const uint4*>(words);
    uint4 low = source[0], high = low;
    if (int(16 - offset) < valid) high = source[1];
    return shift16(low, high, offset);
}

/// The same from an address of any alignment.
DEVICE uint4 load16_any(const void* source, int valid) {
    u32 offset = u32(reinterpret_cast<u64>(source)) & 15;
    return load16_at(reinterpret_cast<const void*>(reinterpret_cast<u64>(source) - offset), offset, valid);
}

/// The same with zeros behind the valid bytes (0 to 16).
DEVICE uint4 load16(const void* source, int valid) {
    if (valid <= 0) return make_uint4(0, 0, 0, 0);
    uint4 value = load16_any(source, valid);
    u32 w[4] = {value.x, value.y, value.z, value.w};
#pragma unroll
    for (int i = 0; i < 4; i++) {
        int bytes = valid - 4 * i;
        if (bytes < 4) w[i] = bytes <= 0 ? 0 : w[i] & (0xffffffffu >> (32 - 8 * bytes));
    }
    return make_uint4(w[0], w[1], w[2], w[3]);
}
