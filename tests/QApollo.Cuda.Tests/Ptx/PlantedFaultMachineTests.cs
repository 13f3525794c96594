using System.Text;
using System.Text.RegularExpressions;
using QApollo.Cuda.Driver;
using QApollo.Cuda.Tests.Simt;
using Xunit;

namespace QApollo.Cuda.Tests.Ptx;

/// <summary>Faults planted into the shipped text: the machine tells them, or the results betray them.</summary>
public sealed class PlantedFaultMachineTests
{
    public static TheoryData<string, string, string, string?> Faults => new()
    {
        // Module, pattern, replacement, and the pattern of what is told; null where only the results can tell.
        { "rmsnorm", @"bar\.sync\s+0;", "", "race: warp|was never written" },
        { "rmsnorm_short", @"bar\.sync\s+0;", "", "race: warp|was never written" },
        { "linear_forward", @"bar\.sync\s+0;", "", "race: warp|was never written" },
        { "linear_forward", @"cp\.async\.wait_group 1;", "cp.async.wait_group 2;", "before the asynchronous copy into it was awaited" },
        { "attention_forward", @"bar\.sync\s+0;", "", "race: warp|was never written" },
        { "linear_weight_gradient", @"cp\.async\.commit_group;", "", "before the asynchronous copy into it was awaited" },
        { "linear_forward", @"(cp\.async\.cg\.shared\.global \[%r\d+)\]", "$1+8]", "misaligned cp.async" },
        { "linear_forward", @"(ldmatrix\.sync\.aligned\.m8n8\.x4\.shared\.b16 \{[^}]*\}, \[%r\d+)\]", "$1+8]", "misaligned shared access of 16 bytes" },
        { "linear_forward", @"ldmatrix\.sync\.aligned\.m8n8\.x4\.shared", "ldmatrix.sync.aligned.m8n8.x4.trans.shared", null },
        { "linear_forward", @"(mma\.sync[^{]*\{[^}]*\}, )\{(%r\d+),(%r\d+),", "$1{$3,$2,", null },
        { "rmsnorm", @"rcp\.rn\.f32", "sqrt.rn.f32", null },
        { "attention_forward", @"ex2\.approx\.ftz\.f32", "mov.f32", null },
    };

    [Theory]
    [MemberData(nameof(Faults))]
    public void A_planted_fault_is_told(string module, string pattern, string replacement, string? message)
    {
        string healthy = Encoding.UTF8.GetString(KernelModules.ReadPtx(module));
        string faulty = Regex.Replace(healthy, pattern, replacement);
        Assert.NotEqual(healthy, faulty);
        byte[] image = Encoding.UTF8.GetBytes(faulty);
        using CudaDevice device = PtxMachine.Library.Open(new CudaOptions { PtxSource = name => name == module ? image : KernelModules.ReadPtx(name) });
        if (message is not null)
        {
            Assert.Matches(message, Assert.Throws<CudaException>(() => KernelTour.Run(device)).Message);
            return;
        }

        byte[] actual = KernelTour.Run(device);
        Assert.False(actual.AsSpan().SequenceEqual(s_healthy.Value), "the results are those of the healthy text");
    }

    private static readonly Lazy<byte[]> s_healthy = new(() =>
    {
        using CudaDevice device = PtxMachine.Library.Open();
        return KernelTour.Run(device);
    });
}
