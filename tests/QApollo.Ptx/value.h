// Values of registers, and how the machine tells a fault.
#pragma once
#include <cstdarg>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <stdexcept>

namespace ptx {

typedef uint8_t u8;
typedef uint16_t u16;
typedef uint32_t u32;
typedef uint64_t u64;
typedef int16_t i16;
typedef int32_t i32;
typedef int64_t i64;

constexpr int Lanes = 32;
constexpr u32 AllLanes = 0xffffffffu;

/// What hardware would trap on, leave undefined, or compute wrongly without a word.
struct Fault : std::runtime_error { using std::runtime_error::runtime_error; };

[[noreturn]] __attribute__((format(printf, 1, 2))) inline void fault(const char* format, ...) {
    char text[512];
    va_list list;
    va_start(list, format);
    vsnprintf(text, sizeof text, format, list);
    va_end(list);
    throw Fault(text);
}

/// A register holds 64 bits; a narrower value stands in its low bytes.
template <class T> inline T get(u64 bits) {
    T value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

template <class T> inline u64 bits_of(T value) {
    u64 bits = 0;
    memcpy(&bits, &value, sizeof value);
    return bits;
}

inline float bf16_value(u16 bits) { return get<float>(u64(bits) << 16); }

/// To nearest even; a NaN becomes the canonical one, as cvt.rn.bf16.f32 has it.
inline u16 bf16_bits(float value) {
    u32 bits = u32(bits_of(value));
    if ((bits & 0x7fffffff) > 0x7f800000) return 0x7fff;
    return u16((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
}

}
