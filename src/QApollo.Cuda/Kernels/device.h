// The language of all kernels: types, bfloat16, loads, warp and block reductions, random numbers. Two compilers read
// it: NVRTC for the GPU, and a host compiler for the emulator of the tests, which brings simt.h in place of the GPU.
// No NVIDIA header is needed. Products and sums are never fused by the compiler (-fmad=false): fused ones are written.
#pragma once

#ifdef __CUDACC_RTC__
#define ON_GPU 1
#define DEVICE static __device__ __forceinline__
#define DEVICE_MEMBER __device__ __forceinline__
// A kernel of blocks of `block_threads` threads; registers are limited so that that many blocks fit a multiprocessor.
#define KERNEL(name, block_threads, blocks_per_processor) \
    extern "C" __global__ void __launch_bounds__(block_threads, blocks_per_processor) name
#define EXPORT_KERNEL(name)
#define SHARED(type, name, count) __shared__ __align__(16) type name[count]
#define DYNAMIC_SHARED(type, name)                            \
    extern __shared__ __align__(128) unsigned char name##_bytes[]; \
    type* name = reinterpret_cast<type*>(name##_bytes)
#define GLOBAL_TABLE(type, name, count) extern "C" { __device__ type name[count]; }
#else
#include "simt.h"
#define DEVICE static inline
#define DEVICE_MEMBER inline
#endif

typedef unsigned char u8;
typedef unsigned short u16;
typedef unsigned int u32;
typedef unsigned long long u64;
typedef long long i64;
typedef u16 bf16;

#ifdef ON_GPU
#define INFINITY __int_as_float(0x7f800000)
#endif
constexpr u32 AllLanes = 0xffffffffu;

// bfloat16 -----------------------------------------------------------------------------------------------------

DEVICE float to_float(float value) { return value; }
DEVICE float to_float(bf16 value) { return __uint_as_float(u32(value) << 16); }
DEVICE float low_float(u32 pair) { return __uint_as_float(pair << 16); }
DEVICE float high_float(u32 pair) { return __uint_as_float(pair & 0xffff0000u); }

#ifdef ON_GPU
DEVICE u32 pack_bf16(float low, float high) {
    u32 pair;
    asm("cvt.rn.bf16x2.f32 %0, %1, %2;" : "=r"(pair) : "f"(high), "f"(low));
    return pair;
}
DEVICE bf16 to_bf16(float value) {
    bf16 result;
    asm("cvt.rn.bf16.f32 %0, %1;" : "=h"(result) : "f"(value));
    return result;
}
#else
/// To nearest, ties to even; NaN becomes 0x7fff.
DEVICE bf16 to_bf16(float value) {
    u32 bits = __float_as_uint(value);
    if ((bits & 0x7fffffffu) > 0x7f800000u) return 0x7fff;
    return bf16((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
}
DEVICE u32 pack_bf16(float low, float high) { return to_bf16(low) | u32(to_bf16(high)) << 16; }
#endif

template <class T> __device__ __forceinline__ T from_float(float value);
template <> __device__ __forceinline__ float from_float<float>(float value) { return value; }
template <> __device__ __forceinline__ bf16 from_float<bf16>(float value) { return to_bf16(value); }

// Vectors of 8 elements: one 16-byte access of bf16, two of float, 8 bytes of codes ------------------------------

DEVICE void load8(const bf16* source, float (&values)[8]) {
    uint4 bits = *reinterpret_cast<const uint4*>(source);
    u32 words[4] = {bits.x, bits.y, bits.z, bits.w};
#pragma unroll
    for (int i = 0; i < 4; i++) {
        values[2 * i] = low_float(words[i]);
        values[2 * i + 1] = high_float(words[i]);
    }
}
DEVICE void load8(const float* source, float (&values)[8]) {
#pragma unroll
    for (int i = 0; i < 2; i++) {
        float4 half = reinterpret_cast<const float4*>(source)[i];
        values[4 * i] = half.x;
        values[4 * i + 1] = half.y;
        values[4 * i + 2] = half.z;
        values[4 * i + 3] = half.w;
    }
}
DEVICE void store8(bf16* target, const float (&values)[8]) {
    *reinterpret_cast<uint4*>(target) = make_uint4(pack_bf16(values[0], values[1]), pack_bf16(values[2], values[3]),
                                                   pack_bf16(values[4], values[5]), pack_bf16(values[6], values[7]));
}
DEVICE void store8(float* target, const float (&values)[8]) {
    reinterpret_cast<float4*>(target)[0] = make_float4(values[0], values[1], values[2], values[3]);
    reinterpret_cast<float4*>(target)[1] = make_float4(values[4], values[5], values[6], values[7]);
}

/// Elements 0 .. count - 1 of up to 8, zeros behind them. `vector`: all addresses of this kind are multiples of 16
/// bytes (8 for codes).
template <class T> DEVICE void load8(const T* source, int count, bool vector, float (&values)[8]) {
    if (vector && count >= 8) {
        load8(source, values);
        return;
    }
#pragma unroll
    for (int i = 0; i < 8; i++) values[i] = i < count ? to_float(source[i]) : 0.0f;
}
template <class T> DEVICE void store8(T* target, int count, bool vector, const float (&values)[8]) {
    if (vector && count >= 8) {
        store8(target, values);
        return;
    }
#pragma unroll
    for (int i = 0; i < 8; i++) if (i < count) target[i] = from_float<T>(values[i]);
}

/// 8 codes as two words, byte i of the pair is code i; zeros behind the count.
DEVICE uint2 load_codes8(const u8* source, int count, bool vector) {
    if (vector && count >= 8) return *reinterpret_cast<const uint2*>(source);
    u32 words[2] = {0, 0};
#pragma unroll
    for (int i = 0; i < 8; i++) if (i < count) words[i / 4] |= u32(source[i]) << (8 * (i % 4));
    return make_uint2(words[0], words[1]);
}
DEVICE void store_codes8(u8* target, int count, bool vector, uint2 codes) {
    if (vector && count >= 8) {
        *reinterpret_cast<uint2*>(target) = codes;
        return;
    }
    u32 words[2] = {codes.x, codes.y};
#pragma unroll
    for (int i = 0; i < 8; i++) if (i < count) target[i] = u8(words[i / 4] >> (8 * (i % 4)));
}

// Reductions in a fixed order --------------------------------------------------------------------------------------

struct Add { DEVICE_MEMBER float operator()(float a, float b) const { return a + b; } };
struct Max { DEVICE_MEMBER float operator()(float a, float b) const { return fmaxf(a, b); } };
struct Min { DEVICE_MEMBER float operator()(float a, float b) const { return fminf(a, b); } };

/// Butterfly over aligned groups of Width lanes; every lane gets the result.
template <int Width, class Operation> DEVICE float warp_reduce(float value, Operation operation) {
#pragma unroll
    for (int flip = Width / 2; flip > 0; flip /= 2) value = operation(value, __shfl_xor_sync(AllLanes, value, flip));
    return value;
}

/// Over a block of whole warps; every thread gets the result. The first barrier keeps a warp from overwriting
/// `partial` (32 floats, shared) while another still reads an earlier result.
template <class Operation> DEVICE float block_reduce(float value, float* partial, Operation operation, float neutral) {
    u32 lane = threadIdx.x & 31, warp = threadIdx.x >> 5, warps = blockDim.x >> 5;
    value = warp_reduce<32>(value, operation);
    __syncthreads();
    if (lane == 0) partial[warp] = value;
    __syncthreads();
    return warp_reduce<32>(lane < warps ? partial[lane] : neutral, operation);
}
DEVICE float block_sum(float value, float* partial) { return block_reduce(value, partial, Add(), 0.0f); }

// Numbers --------------------------------------------------------------------------------------------------------

/// Neither NaN nor infinity; written on the bits, so that no compiler option can fold it away.
DEVICE bool is_finite(float value) { return (__float_as_uint(value) & 0x7f800000u) != 0x7f800000u; }

#ifdef ON_GPU
/// 2^x to 2 ulp; denormal results become 0.
DEVICE float fast_exp2(float x) {
    float result;
    asm("ex2.approx.ftz.f32 %0, %1;" : "=f"(result) : "f"(x));
    return result;
}
/// 1 / x to 1 ulp; 0 for infinity.
DEVICE float fast_reciprocal(float x) {
    float result;
    asm("rcp.approx.ftz.f32 %0, %1;" : "=f"(result) : "f"(x));
    return result;
}
#else
DEVICE float fast_exp2(float x) { return exp2f(x); }
DEVICE float fast_reciprocal(float x) { return 1.0f / x; }
#endif

constexpr float Log2E = 1.4426950408889634f;

struct Words4 { u32 x, y, z, w; };

/// Philox4x32-10 (Salmon et al., SC 2011) with key (k0, k1) and counter (c0, c1, c2, c3).
DEVICE Words4 philox(u32 k0, u32 k1, u32 c0, u32 c1, u32 c2, u32 c3) {
#pragma unroll
    for (int round = 0; round < 10; round++) {
        u64 product0 = u64(0xD2511F53u) * c0, product1 = u64(0xCD9E8D57u) * c2;
        u32 next0 = u32(product1 >> 32) ^ c1 ^ k0, next2 = u32(product0 >> 32) ^ c3 ^ k1;
        c1 = u32(product1);
        c3 = u32(product0);
        c0 = next0;
        c2 = next2;
        k0 += 0x9E3779B9u;
        k1 += 0xBB67AE85u;
    }
    return {c0, c1, c2, c3};
}

/// One stream of random words, as QApollo.Quantization.RandomStream numbers them.
struct Stream { u32 k0, k1, purpose, parameter, step; };

DEVICE Words4 stream_block(const Stream& stream, u64 block) {
    return philox(stream.k0, stream.k1, u32(block), u32(block >> 32) | stream.purpose << 16, stream.parameter, stream.step);
}
