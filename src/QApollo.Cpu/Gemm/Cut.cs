namespace QApollo.Cpu.Gemm;

/// <summary>A length cut into parts that differ by at most one unit; each but the last is a multiple of the unit.</summary>
internal readonly struct Cut(int length, int unit, int parts)
{
    private readonly int _units = Units(length, unit);

    public int Parts => parts;

    public static int Units(int length, int unit) => (length + unit - 1) / unit;

    public int Start(int part) => Math.Min((int)((long)part * _units / parts) * unit, length);

    public int Length(int part) => Start(part + 1) - Start(part);
}
