// What a kernel file sees in place of the CUDA language when a host compiler builds it: indices, barriers, warp
// operations, asynchronous copies, ldmatrix and mma.
#pragma once
#include "launcher.h"
#include <cmath>
#include <type_traits>
#include <utility>

struct alignas(8) uint2 { unsigned x, y; };
struct alignas(16) uint4 { unsigned x, y, z, w; };
struct alignas(8) float2 { float x, y; };
struct alignas(16) float4 { float x, y, z, w; };
inline uint2 make_uint2(unsigned x, unsigned y) { return {x, y}; }
inline uint4 make_uint4(unsigned x, unsigned y, unsigned z, unsigned w) { return {x, y, z, w}; }
inline float2 make_float2(float x, float y) { return {x, y}; }
inline float4 make_float4(float x, float y, float z, float w) { return {x, y, z, w}; }

#define __device__
#define __forceinline__ inline __attribute__((always_inline))
#define __restrict__ __restrict
#define threadIdx (simt::current->index)
#define blockIdx (simt::block->index)
#define blockDim (simt::block->size)
#define gridDim (simt::block->grid)

namespace simt {

struct Global { const char* name; void* address; size_t bytes; };

inline std::vector<Global>& globals() {
    static std::vector<Global> table;
    return table;
}

struct GlobalEntry {
    GlobalEntry(const char* name, void* address, size_t bytes) { globals().push_back({name, address, bytes}); }
};

template <class... Parameters, size_t... Index>
inline void call(void (*kernel)(Parameters...), void** values, std::index_sequence<Index...>) {
    kernel(*static_cast<std::remove_reference_t<Parameters>*>(values[Index])...);
}

template <class... Parameters>
inline void unpack(void (*kernel)(Parameters...), void** values) {
    call(kernel, values, std::index_sequence_for<Parameters...>{});
}

template <class... Parameters>
inline std::vector<size_t> sizes(void (*)(Parameters...)) { return {sizeof(std::remove_reference_t<Parameters>)...}; }

struct KernelEntry {
    KernelEntry(const char* name, unsigned threads, std::vector<size_t> parameter_bytes, void (*run)(void**)) {
        kernels().push_back({name, run, threads, 0, parameter_bytes});
    }
};

}

#define GLOBAL_TABLE(type, name, count) \
    static type name[count];            \
    static simt::GlobalEntry name##_global(#name, name, sizeof name);
#define KERNEL(name, block_threads, blocks_per_processor)    \
    static constexpr unsigned name##_threads = block_threads; \
    extern "C" void name
#define EXPORT_KERNEL(name) \
    static simt::KernelEntry name##_entry(#name, name##_threads, simt::sizes(&name), [](void** values) { simt::unpack(&name, values); });
#define SHARED(type, name, count) \
    static const char name##_tag = 0; \
    auto& name = *static_cast<type(*)[count]>(simt::shared_array(&name##_tag, sizeof(type) * (count)))
#define DYNAMIC_SHARED(type, name) type* name = reinterpret_cast<type*>(simt::block->shared)

inline void __syncthreads() { simt::barrier(); }

namespace simt {

struct Vote { bool value; unsigned result; };

inline void run_ballot(Vote** votes, unsigned mask) {
    unsigned result = 0;
    for (unsigned lane = 0; lane < 32; lane++) if ((mask >> lane & 1) && votes[lane]->value) result |= 1u << lane;
    for (unsigned lane = 0; lane < 32; lane++) if (mask >> lane & 1) votes[lane]->result = result;
}

template <class T> struct Shuffle { T value, result; unsigned source; };

template <class T> inline void run_shuffle(Shuffle<T>** lanes, unsigned mask) {
    for (unsigned lane = 0; lane < 32; lane++) {
        if (!(mask >> lane & 1)) continue;
        unsigned source = lanes[lane]->source;
        lanes[lane]->result = mask >> source & 1 ? lanes[source]->value : lanes[lane]->value;
    }
}

template <class T> inline T shuffle(unsigned mask, T value, unsigned source) {
    Shuffle<T> operands{value, value, source};
    collective(mask, operands, run_shuffle<T>);
    return operands.result;
}

}

inline unsigned __ballot_sync(unsigned mask, int value) {
    simt::Vote vote{value != 0, 0};
    simt::collective(mask, vote, simt::run_ballot);
    return vote.result;
}
inline void __syncwarp(unsigned mask = 0xffffffffu) { __ballot_sync(mask, 1); }
inline int __any_sync(unsigned mask, int value) { return __ballot_sync(mask, value) != 0; }

/// Exchanges within aligned groups of `width` lanes, as the hardware does.
template <class T> inline T __shfl_xor_sync(unsigned mask, T value, int flip, int width = 32) {
    unsigned lane = simt::current->lane, source = lane ^ unsigned(flip), group = ~unsigned(width - 1);
    return simt::shuffle(mask, value, (source & group) == (lane & group) ? source : lane);
}
template <class T> inline T __shfl_sync(unsigned mask, T value, int source, int width = 32) {
    unsigned group = simt::current->lane & ~unsigned(width - 1);
    return simt::shuffle(mask, value, group | (unsigned(source) & unsigned(width - 1)));
}

inline float __uint_as_float(unsigned bits) { float value; memcpy(&value, &bits, 4); return value; }
inline unsigned __float_as_uint(float value) { unsigned bits; memcpy(&bits, &value, 4); return bits; }
// The build must not fuse or reorder: -ffp-contract=off.
inline float __fadd_rn(float a, float b) { return a + b; }
inline float __fsub_rn(float a, float b) { return a - b; }
inline float __fmul_rn(float a, float b) { return a * b; }
inline float __fmaf_rn(float a, float b, float c) { return fmaf(a, b, c); }
inline float __fdiv_rn(float a, float b) { return a / b; }
inline float __fsqrt_rn(float a) { return sqrtf(a); }
inline void sincospi(double x, double* sine, double* cosine) { *sine = std::sin(M_PI * x); *cosine = std::cos(M_PI * x); }
inline unsigned __funnelshift_r(unsigned low, unsigned high, unsigned shift) {
    return unsigned((uint64_t(high) << 32 | low) >> (shift & 31));
}
inline unsigned __byte_perm(unsigned a, unsigned b, unsigned selector) {
    uint64_t bytes = uint64_t(b) << 32 | a;
    unsigned result = 0;
    for (int i = 0; i < 4; i++) result |= unsigned(bytes >> ((selector >> (4 * i) & 7) * 8) & 255) << (8 * i);
    return result;
}
inline unsigned long long atomicAdd(unsigned long long* address, unsigned long long value) {
    return __atomic_fetch_add(address, value, __ATOMIC_RELAXED);
}
inline int atomicAdd(int* address, int value) { return __atomic_fetch_add(address, value, __ATOMIC_RELAXED); }
inline int min(int a, int b) { return a < b ? a : b; }
inline int max(int a, int b) { return a > b ? a : b; }

namespace simt {

inline float low_half(unsigned pair) { return __uint_as_float(pair << 16); }
inline float high_half(unsigned pair) { return __uint_as_float(pair & 0xffff0000u); }

/// The sum, rounded to odd: an inexact one ends in a one, so that rounding it once more, to half as many bits or fewer, is as if it were exact.
inline float add_to_odd(double a, double b) {
    double sum = a + b;
    if (!std::isfinite(sum)) return float(sum);
    double part = sum - a, error = (a - (sum - part)) + (b - part);
    uint64_t bits;
    memcpy(&bits, &sum, 8);
    if (error != 0 && !(bits & 1)) bits += (error > 0) == (sum > 0) ? 1 : -1;
    memcpy(&sum, &bits, 8);
    float result = float(sum);
    if (double(result) == sum) return result;
    unsigned word = __float_as_uint(result);
    if (std::fabs(double(result)) > std::fabs(sum)) word--;
    return __uint_as_float(word | 1);
}

/// a * b + c of the low halves before it is rounded to bf16: products of two bf16 are exact in binary64.
inline float multiply_add_half(unsigned a, unsigned b, unsigned c) { return add_to_odd(double(low_half(a)) * low_half(b), low_half(c)); }

struct LoadMatrix { unsigned* result; const void* row; bool transposed; };

/// ldmatrix.x4: lane 8m + r names row r of matrix m; lane l receives elements (l / 4, 2 (l % 4)) and the next of each
/// matrix, or of its transpose (PTX manual, "ldmatrix").
inline void run_load_matrix(LoadMatrix** lanes, unsigned) {
    for (unsigned matrix = 0; matrix < 4; matrix++) {
        for (unsigned lane = 0; lane < 32; lane++) {
            unsigned row = lane / 4, column = lane % 4 * 2;
            auto element = [&](unsigned r, unsigned c) -> unsigned {
                if (lanes[lane]->transposed) std::swap(r, c);
                return static_cast<const unsigned short*>(lanes[matrix * 8 + r]->row)[c];
            };
            lanes[lane]->result[matrix] = element(row, column) | element(row, column + 1) << 16;
        }
    }
}

inline void load_matrix(unsigned (&result)[4], const void* row, bool transposed) {
    if (reinterpret_cast<size_t>(row) & 15) fail("ldmatrix: address not aligned to 16 bytes");
    if (!in_shared(row, 16)) fail("ldmatrix: address outside the block's shared memory");
    LoadMatrix operands{result, row, transposed};
    collective(0xffffffffu, operands, run_load_matrix);
}

struct MultiplyAdd { float* d; const unsigned* a; unsigned b0, b1; };

/// mma.m16n8k16, row.col, bf16 products summed in binary32 (PTX manual, "Matrix fragments for mma.m16n8k16").
inline void run_multiply_add(MultiplyAdd** lanes, unsigned) {
    float a[16][16], b[16][8];
    for (unsigned lane = 0; lane < 32; lane++) {
        unsigned group = lane >> 2, pair = (lane & 3) * 2;
        for (unsigned part = 0; part < 4; part++) {
            float* target = &a[group + (part & 1) * 8][pair + (part >> 1) * 8];
            target[0] = low_half(lanes[lane]->a[part]);
            target[1] = high_half(lanes[lane]->a[part]);
        }
        b[pair][group] = low_half(lanes[lane]->b0);
        b[pair + 1][group] = high_half(lanes[lane]->b0);
        b[pair + 8][group] = low_half(lanes[lane]->b1);
        b[pair + 9][group] = high_half(lanes[lane]->b1);
    }
    for (unsigned row = 0; row < 16; row++) {
        float sum[8] = {};
        for (unsigned k = 0; k < 16; k++) for (unsigned column = 0; column < 8; column++) sum[column] += a[row][k] * b[k][column];
        for (unsigned column = 0; column < 8; column++) lanes[(row & 7) * 4 + column / 2]->d[(row >> 3) * 2 + (column & 1)] += sum[column];
    }
}

inline void multiply_add(float (&d)[4], const unsigned (&a)[4], unsigned b0, unsigned b1) {
    MultiplyAdd operands{d, a, b0, b1};
    collective(0xffffffffu, operands, run_multiply_add);
}

}
