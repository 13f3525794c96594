namespace QApollo.Cpu.Numerics;

/// <summary>
/// A register of binary32 values of some width, so that one loop serves the widest registers of the processor, the rest
/// of a row, and single values. For the operations that the exponential makes bound by arithmetic instead of memory.
/// </summary>
internal unsafe interface ILanes<TSelf>
    where TSelf : struct, ILanes<TSelf>
{
    static abstract int Count { get; }

    static abstract TSelf Load(float* source);

    void Store(float* destination);

    static abstract TSelf Create(float value);

    static abstract TSelf operator +(TSelf a, TSelf b);

    static abstract TSelf operator -(TSelf a, TSelf b);

    static abstract TSelf operator *(TSelf a, TSelf b);

    static abstract TSelf operator /(TSelf a, TSelf b);

    /// <summary>a * b + c, fused where the hardware does so.</summary>
    static abstract TSelf MultiplyAdd(TSelf a, TSelf b, TSelf c);

    /// <summary>To the nearest whole number, half to even.</summary>
    static abstract TSelf Round(TSelf x);

    /// <summary>y * 2^n where x is in the range of the exponential, else 0 or infinity: the last step of e^x.</summary>
    static abstract TSelf ScaleExponential(TSelf y, TSelf n, TSelf x);

    float Sum();
}
