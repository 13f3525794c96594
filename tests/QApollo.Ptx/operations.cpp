// Arithmetic: what each instruction computes in a lane, after the PTX ISA manual 7.8, sections 9.7.1 to 9.7.9.
#include "block.h"
#include <cfenv>
#include <cmath>
#include <limits>
#include <unordered_map>

namespace ptx {
namespace {

/// Handlers around a function of one lane's operands.
template <auto F, class D, class... S> struct Lanewise;

template <auto F, class D, class A> struct Lanewise<F, D, A> {
    static void run(Block&, Warp& warp, const Instruction& i, u32 mask) {
        u64* d = warp.at(i.target[0]);
        const u64* a = warp.at(i.source[0]);
        EACH_LANE(d[lane] = bits_of<D>(F(get<A>(a[lane]))))
    }
};

template <auto F, class D, class A, class B> struct Lanewise<F, D, A, B> {
    static void run(Block&, Warp& warp, const Instruction& i, u32 mask) {
        u64* d = warp.at(i.target[0]);
        const u64 *a = warp.at(i.source[0]), *b = warp.at(i.source[1]);
        EACH_LANE(d[lane] = bits_of<D>(F(get<A>(a[lane]), get<B>(b[lane]))))
    }
};

template <auto F, class D, class A, class B, class C> struct Lanewise<F, D, A, B, C> {
    static void run(Block&, Warp& warp, const Instruction& i, u32 mask) {
        u64* d = warp.at(i.target[0]);
        const u64 *a = warp.at(i.source[0]), *b = warp.at(i.source[1]), *c = warp.at(i.source[2]);
        EACH_LANE(d[lane] = bits_of<D>(F(get<A>(a[lane]), get<B>(b[lane]), get<C>(c[lane]))))
    }
};

template <auto F, class D, class A, class B, class C, class E> struct Lanewise<F, D, A, B, C, E> {
    static void run(Block&, Warp& warp, const Instruction& i, u32 mask) {
        u64* d = warp.at(i.target[0]);
        const u64 *a = warp.at(i.source[0]), *b = warp.at(i.source[1]), *c = warp.at(i.source[2]), *e = warp.at(i.source[3]);
        EACH_LANE(d[lane] = bits_of<D>(F(get<A>(a[lane]), get<B>(b[lane]), get<C>(c[lane]), get<E>(e[lane]))))
    }
};

// Integers. Sums and products wrap; shifts by the width or more give zero, or the sign.
template <class T> T plus(T a, T b) { return T(a + b); }
template <class T> T minus(T a, T b) { return T(a - b); }
template <class T> T times(T a, T b) { return T(a * b); }
template <class T> T multiply_add(T a, T b, T c) { return T(a * b + c); }
template <class T, class W> W times_wide(T a, T b) { return W(W(a) * W(b)); }
template <class T, class W> T times_high(T a, T b) { return T(W(W(a) * W(b)) >> (sizeof(T) * 8)); }
template <class T> T divide(T a, T b) {
    if (b == 0) fault("division by zero");
    return T(a / b);
}
template <class T> T remainder(T a, T b) {
    if (b == 0) fault("remainder of a division by zero");
    return T(a % b);
}
template <class T> T smaller(T a, T b) { return a < b ? a : b; }
template <class T> T larger(T a, T b) { return a > b ? a : b; }
template <class T> T both(T a, T b) { return T(a & b); }
template <class T> T either(T a, T b) { return T(a | b); }
template <class T> T differ(T a, T b) { return T(a ^ b); }
template <class T> T invert(T a) { return T(~a); }
template <class T> T negate(T a) { return T(-a); }
template <class T> T magnitude(T a) { return a < 0 ? T(-a) : a; }
template <class T> T shift_left(T a, u32 n) { return n >= sizeof(T) * 8 ? T(0) : T(a << n); }
template <class T> T shift_right(T a, u32 n) { return n >= sizeof(T) * 8 ? T(a < 0 ? -1 : 0) : T(a >> n); }
u32 funnel_right(u32 low, u32 high, u32 n) { return u32((u64(high) << 32 | low) >> (n & 31)); }
u32 funnel_left(u32 low, u32 high, u32 n) { return u32((u64(high) << 32 | low) << (n & 31) >> 32); }
u32 permute(u32 a, u32 b, u32 selector) {
    u64 bytes = u64(b) << 32 | a;
    u32 result = 0;
    for (int i = 0; i < 4; i++) {
        u32 choice = selector >> (4 * i) & 15;
        u8 value = u8(bytes >> (8 * (choice & 7)));
        if (choice & 8) value = value & 0x80 ? 0xff : 0; // the sign of the byte, in all its bits
        result |= u32(value) << (8 * i);
    }
    return result;
}
u32 insert_bits(u32 field, u32 base, u32 position, u32 length) {
    position &= 255;
    length &= 255;
    for (u32 i = 0; i < length && position + i < 32; i++) base = (base & ~(1u << (position + i))) | (field >> i & 1) << (position + i);
    return base;
}
u32 extract_bits(u32 value, u32 position, u32 length) {
    position &= 255;
    length &= 255;
    u64 mask = length >= 32 ? 0xffffffffull : (u64(1) << length) - 1;
    return position >= 32 ? 0 : u32(value >> position & mask);
}
/// lop3: bit (a, b, c) of the table.
u32 logic3(u32 a, u32 b, u32 c, u32 table) {
    u32 result = 0;
    for (int i = 0; i < 8; i++) {
        if (table >> i & 1) result |= (i & 4 ? a : ~a) & (i & 2 ? b : ~b) & (i & 1 ? c : ~c);
    }
    return result;
}
u32 population(u32 a) { return u32(__builtin_popcount(a)); }
u32 leading_zeros(u32 a) { return a ? u32(__builtin_clz(a)) : 32; }
u64 predicate_not(u64 a) { return a ? 0 : 1; }

// Floating point. Results are rounded to nearest even; minimum and maximum leave a NaN out.
template <class T> T add(T a, T b) { return a + b; }
template <class T> T subtract(T a, T b) { return a - b; }
template <class T> T multiply(T a, T b) { return a * b; }
template <class T> T quotient(T a, T b) { return a / b; }
template <class T> T fused(T a, T b, T c) { return std::fma(a, b, c); }
float fused_down(float a, float b, float c) {
    int nearest = fegetround();
    fesetround(FE_DOWNWARD);
    volatile float x = a, y = b, z = c;
    volatile float result = std::fma(x, y, z);
    fesetround(nearest);
    return result;
}
/// The sum, rounded to odd: an inexact one ends in a one, so that rounding it once more, to half as many bits or fewer, is as if it were exact.
float add_to_odd(double a, double b) {
    double sum = a + b;
    if (!std::isfinite(sum)) return float(sum);
    double part = sum - a, error = (a - (sum - part)) + (b - part);
    u64 bits = bits_of(sum);
    if (error != 0 && !(bits & 1)) bits += (error > 0) == (sum > 0) ? 1 : -1;
    sum = get<double>(bits);
    float result = float(sum);
    if (double(result) == sum) return result;
    u64 word = bits_of(result) - (std::fabs(double(result)) > std::fabs(sum) ? 1 : 0);
    return get<float>(word | 1);
}
/// fma.rn.bf16x2: each half rounded once; products of two bf16 are exact in binary64. Subnormal numbers are supported.
u32 fused_bf16_pair(u32 a, u32 b, u32 c) {
    u32 result = 0;
    for (int shift = 0; shift < 32; shift += 16) {
        double product = double(bf16_value(u16(a >> shift))) * bf16_value(u16(b >> shift));
        result |= u32(bf16_bits(add_to_odd(product, bf16_value(u16(c >> shift))))) << shift;
    }
    return result;
}
float minimum(float a, float b) { return std::isnan(a) ? b : std::isnan(b) ? a : a == b ? (std::signbit(a) ? a : b) : a < b ? a : b; }
float maximum(float a, float b) { return std::isnan(a) ? b : std::isnan(b) ? a : a == b ? (std::signbit(a) ? b : a) : a > b ? a : b; }
template <class T> T opposite(T a) { return -a; }
template <class T> T absolute(T a) { return std::fabs(a); }
template <class T> T root(T a) { return std::sqrt(a); }
template <class T> T reciprocal(T a) { return T(1) / a; }
float flush(float a) { return std::fabs(a) < std::numeric_limits<float>::min() ? std::copysign(0.0f, a) : a; }
float approximate_reciprocal(float a) { return flush(1.0f / flush(a)); }
float approximate_power_of_two(float a) { return flush(std::exp2(flush(a))); }
float approximate_log2(float a) { return std::log2(flush(a)); }
float approximate_root(float a) { return flush(std::sqrt(flush(a))); }
float approximate_reciprocal_root(float a) { return 1.0f / std::sqrt(flush(a)); }
float saturate(float a) { return !(a > 0) ? 0.0f : a > 1 ? 1.0f : a; }
/// rcp.approx.ftz.f64: of the upper 32 bits of the operand, to the upper 32 bits of the result.
double gross_reciprocal(double a) {
    double upper = get<double>(bits_of(a) & ~u64(0xffffffff));
    if (std::fabs(upper) < std::numeric_limits<double>::min()) upper = std::copysign(0.0, upper);
    double result = get<double>(bits_of(1 / upper) & ~u64(0xffffffff));
    return std::fabs(result) < std::numeric_limits<double>::min() ? std::copysign(0.0, result) : result;
}

// Comparisons; with a NaN only the unordered ones and "not equal" in its unordered form hold.
template <class T> u64 equal(T a, T b) { return a == b; }
template <class T> u64 not_equal(T a, T b) { return a < b || a > b; }
template <class T> u64 less(T a, T b) { return a < b; }
template <class T> u64 less_equal(T a, T b) { return a <= b; }
template <class T> u64 greater(T a, T b) { return a > b; }
template <class T> u64 greater_equal(T a, T b) { return a >= b; }
template <class T> u64 equal_unordered(T a, T b) { return !(a < b || a > b); }
template <class T> u64 not_equal_unordered(T a, T b) { return !(a == b); }
template <class T> u64 less_unordered(T a, T b) { return !(a >= b); }
template <class T> u64 less_equal_unordered(T a, T b) { return !(a > b); }
template <class T> u64 greater_unordered(T a, T b) { return !(a <= b); }
template <class T> u64 greater_equal_unordered(T a, T b) { return !(a < b); }
template <class T> u64 is_nan(T a, T b) { return a != a || b != b; }

// Conversions. To an integer: cut or rounded, saturated, and a NaN gives zero.
template <class D, class S> D convert(S a) { return D(a); }
template <class D, class S> D saturated(S a) {
    if (a != a) return 0;
    if (double(a) <= double(std::numeric_limits<D>::min())) return std::numeric_limits<D>::min();
    if (double(a) >= double(std::numeric_limits<D>::max())) return std::numeric_limits<D>::max();
    return D(a);
}
template <class D, class S> D cut(S a) { return saturated<D>(std::trunc(a)); }
template <class D, class S> D nearest(S a) { return saturated<D>(std::nearbyint(a)); }
template <class D, class S> D below(S a) { return saturated<D>(std::floor(a)); }
template <class T> T to_nearest(T a) { return std::nearbyint(a); }
template <class T> T to_lower(T a) { return std::floor(a); }
template <class T> T to_upper(T a) { return std::ceil(a); }
template <class T> T to_zero(T a) { return std::trunc(a); }
u16 to_bf16(float a) { return bf16_bits(a); }
u32 to_bf16_pair(float upper, float lower) { return u32(bf16_bits(upper)) << 16 | bf16_bits(lower); }

template <class T> T move(T a) { return a; }
template <class T> T select(T a, T b, u64 predicate) { return predicate ? a : b; }
u64 to_shared(u64 address) {
    if (address - SharedWindow >= WindowBytes) fault("cvta.to.shared of %llx, which is no shared address", (unsigned long long)address);
    return address - SharedWindow;
}
u64 from_shared(u64 address) { return address + SharedWindow; }
u64 to_local(u64 address) {
    if (address - LocalWindow >= WindowBytes) fault("cvta.to.local of %llx, which is no local address", (unsigned long long)address);
    return address - LocalWindow;
}
u64 from_local(u64 address) { return address + LocalWindow; }

class Table {
public:
    Table() {
        integers<u32>("u32");
        integers<i32>("s32");
        integers<u64>("u64");
        integers<i64>("s64");
        integers<u16>("u16");
        integers<i16>("s16");
        bits<u16>("b16");
        bits<u32>("b32");
        bits<u64>("b64");
        bits<u64>("pred");
        floats<float>("f32");
        floats<double>("f64");
        compare<float>("f32", true);
        compare<double>("f64", true);
        moves();
        conversions();
        rest();
    }

    const Operation* find(const std::string& name) const {
        auto found = operations_.find(name);
        return found == operations_.end() ? nullptr : &found->second;
    }

private:
    std::unordered_map<std::string, Operation> operations_;

    template <auto F, class D, class... S> void put(const std::string& name, Class kind = Integer) { operations_[name] = {Lanewise<F, D, S...>::run, kind}; }

    template <class T> void integers(const std::string& t) {
        put<plus<T>, T, T, T>("add." + t);
        put<minus<T>, T, T, T>("sub." + t);
        put<times<T>, T, T, T>("mul.lo." + t);
        put<multiply_add<T>, T, T, T, T>("mad.lo." + t);
        put<divide<T>, T, T, T>("div." + t, Special);
        put<remainder<T>, T, T, T>("rem." + t, Special);
        put<smaller<T>, T, T, T>("min." + t);
        put<larger<T>, T, T, T>("max." + t);
        put<shift_right<T>, T, T, u32>("shr." + t);
        put<negate<T>, T, T>("neg." + t);
        put<magnitude<T>, T, T>("abs." + t);
        compare<T>(t, false);
    }

    template <class T> void bits(const std::string& t) {
        put<both<T>, T, T, T>("and." + t);
        put<either<T>, T, T, T>("or." + t);
        put<differ<T>, T, T, T>("xor." + t);
        put<invert<T>, T, T>("not." + t);
        put<shift_left<T>, T, T, u32>("shl." + t);
        put<shift_right<T>, T, T, u32>("shr." + t);
        put<equal<T>, u64, T, T>("setp.eq." + t);
        put<not_equal<T>, u64, T, T>("setp.ne." + t);
    }

    template <class T> void floats(const std::string& t) {
        for (std::string rounding : {".rn.", "."}) {
            put<add<T>, T, T, T>("add" + rounding + t, Float);
            put<subtract<T>, T, T, T>("sub" + rounding + t, Float);
            put<multiply<T>, T, T, T>("mul" + rounding + t, Float);
        }
        put<fused<T>, T, T, T, T>("fma.rn." + t, Float);
        put<quotient<T>, T, T, T>("div.rn." + t, Special);
        put<root<T>, T, T>("sqrt.rn." + t, Special);
        put<reciprocal<T>, T, T>("rcp.rn." + t, Special);
        put<opposite<T>, T, T>("neg." + t, Float);
        put<absolute<T>, T, T>("abs." + t, Float);
        put<to_nearest<T>, T, T>("cvt.rni." + t + "." + t, Float);
        put<to_lower<T>, T, T>("cvt.rmi." + t + "." + t, Float);
        put<to_upper<T>, T, T>("cvt.rpi." + t + "." + t, Float);
        put<to_zero<T>, T, T>("cvt.rzi." + t + "." + t, Float);
        to_integer<u32, T>("u32." + t);
        to_integer<i32, T>("s32." + t);
        to_integer<u64, T>("u64." + t);
        to_integer<i64, T>("s64." + t);
        put<convert<T, u16>, T, u16>("cvt.rn." + t + ".u16", Float);
        put<convert<T, u32>, T, u32>("cvt.rn." + t + ".u32", Float);
        put<convert<T, i32>, T, i32>("cvt.rn." + t + ".s32", Float);
        put<convert<T, u64>, T, u64>("cvt.rn." + t + ".u64", Float);
        put<convert<T, i64>, T, i64>("cvt.rn." + t + ".s64", Float);
    }

    template <class D, class S> void to_integer(const std::string& types) {
        put<cut<D, S>, D, S>("cvt.rzi." + types, Float);
        put<nearest<D, S>, D, S>("cvt.rni." + types, Float);
        put<below<D, S>, D, S>("cvt.rmi." + types, Float);
    }

    template <class T> void compare(const std::string& t, bool unordered) {
        put<equal<T>, u64, T, T>("setp.eq." + t);
        put<not_equal<T>, u64, T, T>("setp.ne." + t);
        put<less<T>, u64, T, T>("setp.lt." + t);
        put<less_equal<T>, u64, T, T>("setp.le." + t);
        put<greater<T>, u64, T, T>("setp.gt." + t);
        put<greater_equal<T>, u64, T, T>("setp.ge." + t);
        if (!unordered) return;
        put<equal_unordered<T>, u64, T, T>("setp.equ." + t);
        put<not_equal_unordered<T>, u64, T, T>("setp.neu." + t);
        put<less_unordered<T>, u64, T, T>("setp.ltu." + t);
        put<less_equal_unordered<T>, u64, T, T>("setp.leu." + t);
        put<greater_unordered<T>, u64, T, T>("setp.gtu." + t);
        put<greater_equal_unordered<T>, u64, T, T>("setp.geu." + t);
        put<is_nan<T>, u64, T, T>("setp.nan." + t);
    }

    void moves() {
        for (std::string t : {"u16", "s16", "b16"}) {
            put<move<u16>, u16, u16>("mov." + t);
            put<select<u16>, u16, u16, u16, u64>("selp." + t);
        }
        for (std::string t : {"u32", "s32", "b32", "f32"}) {
            put<move<u32>, u32, u32>("mov." + t);
            put<select<u32>, u32, u32, u32, u64>("selp." + t);
        }
        for (std::string t : {"u64", "s64", "b64", "f64"}) {
            put<move<u64>, u64, u64>("mov." + t);
            put<select<u64>, u64, u64, u64, u64>("selp." + t);
        }
        put<move<u64>, u64, u64>("mov.pred");
        put<predicate_not, u64, u64>("not.pred");
        put<move<u64>, u64, u64>("cvta.to.global.u64");
        put<move<u64>, u64, u64>("cvta.global.u64");
        put<to_shared, u64, u64>("cvta.to.shared.u64");
        put<from_shared, u64, u64>("cvta.shared.u64");
        put<to_local, u64, u64>("cvta.to.local.u64");
        put<from_local, u64, u64>("cvta.local.u64");
    }

    template <class D> void widths(const std::string& d) {
        put<convert<D, u8>, D, u8>("cvt." + d + ".u8");
        put<convert<D, int8_t>, D, int8_t>("cvt." + d + ".s8");
        put<convert<D, u16>, D, u16>("cvt." + d + ".u16");
        put<convert<D, i16>, D, i16>("cvt." + d + ".s16");
        put<convert<D, u32>, D, u32>("cvt." + d + ".u32");
        put<convert<D, i32>, D, i32>("cvt." + d + ".s32");
        put<convert<D, u64>, D, u64>("cvt." + d + ".u64");
        put<convert<D, i64>, D, i64>("cvt." + d + ".s64");
    }

    void conversions() {
        widths<u16>("u16");
        widths<i16>("s16");
        widths<u32>("u32");
        widths<i32>("s32");
        widths<u64>("u64");
        widths<i64>("s64");
        put<convert<float, double>, float, double>("cvt.rn.f32.f64", Float);
        put<convert<double, float>, double, float>("cvt.f64.f32", Float);
        put<saturate, float, float>("cvt.sat.f32.f32", Float);
        put<to_bf16, u16, float>("cvt.rn.bf16.f32", Float);
        put<to_bf16_pair, u32, float, float>("cvt.rn.bf16x2.f32", Float);
    }

    void rest() {
        put<times_wide<u16, u32>, u32, u16, u16>("mul.wide.u16");
        put<times_wide<i16, i32>, i32, i16, i16>("mul.wide.s16");
        put<times_wide<u32, u64>, u64, u32, u32>("mul.wide.u32");
        put<times_wide<i32, i64>, i64, i32, i32>("mul.wide.s32");
        put<times_high<u32, u64>, u32, u32, u32>("mul.hi.u32");
        put<times_high<i32, i64>, i32, i32, i32>("mul.hi.s32");
        put<times_high<u64, unsigned __int128>, u64, u64, u64>("mul.hi.u64");
        put<times_high<i64, __int128>, i64, i64, i64>("mul.hi.s64");
        put<funnel_right, u32, u32, u32, u32>("shf.r.wrap.b32");
        put<funnel_left, u32, u32, u32, u32>("shf.l.wrap.b32");
        put<permute, u32, u32, u32, u32>("prmt.b32");
        put<insert_bits, u32, u32, u32, u32, u32>("bfi.b32");
        put<extract_bits, u32, u32, u32, u32>("bfe.u32");
        put<logic3, u32, u32, u32, u32, u32>("lop3.b32");
        put<population, u32, u32>("popc.b32");
        put<leading_zeros, u32, u32>("clz.b32");
        put<fused_down, float, float, float, float>("fma.rm.f32", Float);
        put<fused_bf16_pair, u32, u32, u32, u32>("fma.rn.bf16x2", Float);
        put<minimum, float, float, float>("min.f32", Float);
        put<maximum, float, float, float>("max.f32", Float);
        put<approximate_reciprocal, float, float>("rcp.approx.ftz.f32", Special);
        put<approximate_power_of_two, float, float>("ex2.approx.ftz.f32", Special);
        put<approximate_log2, float, float>("lg2.approx.ftz.f32", Special);
        put<approximate_root, float, float>("sqrt.approx.ftz.f32", Special);
        put<approximate_reciprocal_root, float, float>("rsqrt.approx.ftz.f32", Special);
        put<gross_reciprocal, double, double>("rcp.approx.ftz.f64", Special);
    }
};

}

const Operation* find_operation(const std::string& name) {
    static const Table table;
    return table.find(name);
}

}
