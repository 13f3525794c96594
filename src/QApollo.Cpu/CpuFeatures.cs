using System.Runtime.InteropServices;
using System.Runtime.Intrinsics.Arm;
using System.Runtime.Intrinsics.X86;
using System.Text;
using QApollo.Cpu.Gemm;

namespace QApollo.Cpu;

/// <summary>Which vector instructions the device computes with.</summary>
public enum SimdLevel
{
    /// <summary>Registers of 128 bits, no fused multiply-add.</summary>
    Portable,

    /// <summary>Registers of 256 bits, with AVX2 and FMA.</summary>
    Avx2,

    /// <summary>Registers of 512 bits.</summary>
    Avx512,
}

/// <summary>What the processor is and can do, as the runtime lets this process use it.</summary>
public static class CpuFeatures
{
    /// <summary>The instructions in use: the widest that the processor has and the environment does not forbid.</summary>
    public static SimdLevel Level => Microkernel.HasAvx512 ? SimdLevel.Avx512 : Microkernel.HasAvx2 ? SimdLevel.Avx2 : SimdLevel.Portable;

    /// <summary>The maker's name of the processor; its architecture where it does not tell.</summary>
    public static string ProcessorName { get; } = ReadProcessorName();

    /// <summary>Vector instruction sets that are present and enabled.</summary>
    public static IReadOnlyList<string> Names { get; } =
    [
        .. new (string Name, bool IsSupported)[]
        {
            ("SSE4.2", Sse42.IsSupported), ("AVX", Avx.IsSupported), ("AVX2", Avx2.IsSupported), ("FMA", Fma.IsSupported),
            ("AVX-512F", Avx512F.IsSupported), ("AVX-512BW", Avx512BW.IsSupported), ("AVX-512VBMI", Avx512Vbmi.IsSupported),
            ("NEON", AdvSimd.IsSupported),
        }.Where(set => set.IsSupported).Select(set => set.Name),
    ];

    /// <summary>As `--simd` takes it.</summary>
    public static string Word(SimdLevel level) => level switch
    {
        SimdLevel.Avx512 => "avx512",
        SimdLevel.Avx2 => "avx2",
        _ => "portable",
    };

    /// <summary>
    /// Variables that keep a process of this program from using more than a level. The runtime reads them when it starts, and
    /// then compiles all code for that level, the vector code of the runtime's own libraries included.
    /// </summary>
    public static IEnumerable<(string Variable, string Value)> EnvironmentFor(SimdLevel level)
    {
        if (level < SimdLevel.Avx512)
        {
            yield return ("DOTNET_EnableAVX512", "0");
        }

        if (level < SimdLevel.Avx2)
        {
            yield return ("DOTNET_EnableAVX2", "0");
        }
    }

    private static string ReadProcessorName()
    {
        const int FirstNameLeaf = unchecked((int)0x80000002);
        if (!X86Base.IsSupported || (uint)X86Base.CpuId(unchecked((int)0x80000000), 0).Eax < 0x80000004)
        {
            return RuntimeInformation.ProcessArchitecture.ToString();
        }

        var name = new byte[48];
        for (int leaf = 0; leaf < 3; leaf++)
        {
            (int a, int b, int c, int d) = X86Base.CpuId(FirstNameLeaf + leaf, 0);
            MemoryMarshal.AsBytes<int>([a, b, c, d]).CopyTo(name.AsSpan(16 * leaf));
        }

        return Encoding.ASCII.GetString(name).TrimEnd('\0').Trim();
    }
}
