using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace QApollo.Cpu.Numerics;

/// <summary>Sixteen values; for processors with AVX-512.</summary>
internal readonly unsafe struct Lanes512(Vector512<float> value) : ILanes<Lanes512>
{
    private readonly Vector512<float> _value = value;

    public static int Count => Vector512<float>.Count;

    public static Lanes512 operator +(Lanes512 a, Lanes512 b) => new(a._value + b._value);

    public static Lanes512 operator -(Lanes512 a, Lanes512 b) => new(a._value - b._value);

    public static Lanes512 operator *(Lanes512 a, Lanes512 b) => new(a._value * b._value);

    public static Lanes512 operator /(Lanes512 a, Lanes512 b) => new(a._value / b._value);

    public static Lanes512 Load(float* source) => new(Vector512.Load(source));

    public static Lanes512 Create(float value) => new(Vector512.Create(value));

    public static Lanes512 MultiplyAdd(Lanes512 a, Lanes512 b, Lanes512 c) => new(Vector512.FusedMultiplyAdd(a._value, b._value, c._value));

    public static Lanes512 Round(Lanes512 x) => new(Vector512.Round(x._value));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes512 ScaleExponential(Lanes512 y, Lanes512 n, Lanes512 x)
    {
        // The scaling itself gives 0 and infinity; only arguments whose reduction overflows need help.
        Vector512<float> result = Avx512F.Scale(y._value, n._value);
        result = Vector512.ConditionalSelect(Vector512.LessThan(x._value, Vector512.Create(-104f)), Vector512<float>.Zero, result);
        return new(Vector512.ConditionalSelect(
            Vector512.GreaterThan(x._value, Vector512.Create(89f)), Vector512.Create(float.PositiveInfinity), result));
    }

    public void Store(float* destination) => _value.Store(destination);

    public float Sum() => Vector512.Sum(_value);
}

/// <summary>As many values as <see cref="Vector{T}"/> holds.</summary>
internal readonly unsafe struct LanesVector(Vector<float> value) : ILanes<LanesVector>
{
    private readonly Vector<float> _value = value;

    public static int Count => Vector<float>.Count;

    public static LanesVector operator +(LanesVector a, LanesVector b) => new(a._value + b._value);

    public static LanesVector operator -(LanesVector a, LanesVector b) => new(a._value - b._value);

    public static LanesVector operator *(LanesVector a, LanesVector b) => new(a._value * b._value);

    public static LanesVector operator /(LanesVector a, LanesVector b) => new(a._value / b._value);

    public static LanesVector Load(float* source) => new(Vector.Load(source));

    public static LanesVector Create(float value) => new(Vector.Create(value));

    public static LanesVector MultiplyAdd(LanesVector a, LanesVector b, LanesVector c) =>
        new(Vector.MultiplyAddEstimate(a._value, b._value, c._value));

    public static LanesVector Round(LanesVector x) => new(Vector.Round(x._value));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static LanesVector ScaleExponential(LanesVector y, LanesVector n, LanesVector x)
    {
        // Adding to the exponent's bits multiplies by 2^n; the selections cover what leaves the normal range.
        Vector<int> bits = Vector.AsVectorInt32(y._value) + (Vector.ConvertToInt32Native(n._value) << 23);
        Vector<float> result = Vector.AsVectorSingle(bits);
        result = Vector.ConditionalSelect(Vector.LessThan(x._value, Vector.Create(-87.33f)), Vector<float>.Zero, result);
        return new(Vector.ConditionalSelect(
            Vector.GreaterThan(x._value, Vector.Create(88.7228f)), Vector.Create(float.PositiveInfinity), result));
    }

    public void Store(float* destination) => _value.Store(destination);

    public float Sum() => Vector.Sum(_value);
}

/// <summary>One value: the end of a row.</summary>
internal readonly unsafe struct LanesScalar(float value) : ILanes<LanesScalar>
{
    private readonly float _value = value;

    public static int Count => 1;

    public static LanesScalar operator +(LanesScalar a, LanesScalar b) => new(a._value + b._value);

    public static LanesScalar operator -(LanesScalar a, LanesScalar b) => new(a._value - b._value);

    public static LanesScalar operator *(LanesScalar a, LanesScalar b) => new(a._value * b._value);

    public static LanesScalar operator /(LanesScalar a, LanesScalar b) => new(a._value / b._value);

    public static LanesScalar Load(float* source) => new(*source);

    public static LanesScalar Create(float value) => new(value);

    public static LanesScalar MultiplyAdd(LanesScalar a, LanesScalar b, LanesScalar c) =>
        new(float.MultiplyAddEstimate(a._value, b._value, c._value));

    public static LanesScalar Round(LanesScalar x) => new(MathF.Round(x._value));

    public static LanesScalar ScaleExponential(LanesScalar y, LanesScalar n, LanesScalar x) => new(
        x._value < -104f ? 0f
        : x._value > 89f ? float.PositiveInfinity
        : float.IsNaN(x._value) ? x._value
        : MathF.ScaleB(y._value, (int)n._value));

    public void Store(float* destination) => *destination = _value;

    public float Sum() => _value;
}
