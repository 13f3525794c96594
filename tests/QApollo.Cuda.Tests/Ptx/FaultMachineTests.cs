using System.Globalization;
using System.Text;
using QApollo.Cuda.Driver;
using Xunit;

namespace QApollo.Cuda.Tests.Ptx;

/// <summary>
/// What the machine tells, each with a kernel of a few instructions that has just that fault: two warps over 256 bytes of global
/// memory (`%rd1`), with 128 bytes of shared memory (`tile`) and 16 of local memory (`depot`).
/// </summary>
public sealed class FaultMachineTests : IDisposable
{
    private const int GlobalBytes = 256;

    private static readonly Kernel Probe = new("probe", "probe", 64, 1);

    private readonly CudaContext _context;
    private readonly nint _stream;
    private readonly nint _memory;

    public FaultMachineTests()
    {
        CudaDriver driver = CudaDriver.Open(Repository.PtxLibrary);
        _context = new CudaContext(driver, CudaCard.Read(driver, 0));
        (_stream, _memory) = (_context.CreateStream(), _context.Allocate(GlobalBytes));
    }

    public static TheoryData<string, string, string> Faults => new()
    {
        { "a misaligned load of global memory", "ld.global.u32 %r10, [%rd1+2];", "misaligned global access of 4 bytes" },
        { "a misaligned store of a vector", "st.global.v4.u32 [%rd1+8], {%r1, %r1, %r1, %r1};", "misaligned global access of 16 bytes" },
        { "a load beyond the allocation", "ld.global.u32 %r10, [%rd1+256];", "outside of every allocation" },
        { "a store before the allocation", "st.global.u32 [%rd1+-4], %r1;", "outside of every allocation" },
        { "an atomic on a wild address", "mov.u64 %rd2, 4096; atom.global.add.u32 %r10, [%rd2], 1;", "outside of every allocation" },
        { "a misaligned load of shared memory", "ld.shared.u32 %r10, [%r4+2];", "misaligned shared access of 4 bytes" },
        { "a store beyond shared memory", "st.shared.u32 [%r4+128], %r1;", "shared access of 4 bytes at 128, of 128" },
        { "a misaligned load of local memory", "ld.local.u32 %r10, [%rd3+2];", "misaligned local access of 4 bytes" },
        { "a load beyond local memory", "ld.local.u32 %r10, [%rd3+16];", "local access of 4 bytes at 16, of 16" },
        { "shared memory that nobody wrote", "ld.shared.u32 %r10, [%r4];", "shared byte 0 is read and was never written" },
        { "two warps that write the same place", "st.shared.u32 [%r4], 7;", "race: warps 0 and 1 write shared byte 0" },
        {
            "a read of what another warp writes before the same barrier",
            "@%p2 st.shared.u32 [%r4], 7; @!%p2 ld.shared.u32 %r10, [%r4]; bar.sync 0;", "race: warp 1 reads shared byte 0, which warp 0 writes"
        },
        {
            "a write of what another warp may still read",
            "@%p2 st.shared.u32 [%r4], 7; bar.sync 0; ld.shared.u32 %r10, [%r4]; @!%p2 st.shared.u32 [%r4], 8;", "race: warp 1 writes shared byte 0, which another warp reads"
        },
        { "lanes that write different values to one place", "@%p2 st.shared.u32 [%r4], %r1;", "lanes of warp 0 write different values to shared byte 0 at once" },
        { "threads at two barriers", "@%p2 bra ONE; bar.sync 0; bra END; ONE: bar.sync 0; END:", "threads wait at different barriers" },
        { "a barrier that a warp never reaches", "@%p2 bra END; bar.sync 0; END:", "a barrier that not all threads reach: warp 0 has ended" },
        { "a barrier for some lanes", "@%p1 bar.sync 0;", "a barrier for lanes 0000ffff of ffffffff" },
        { "a shuffle that lanes miss", "@%p1 shfl.sync.bfly.b32 %r10|%p3, %r1, 1, 31, -1;", "shfl.sync of lanes ffffffff by lanes 0000ffff" },
        { "a shuffle outside of its own mask", "shfl.sync.bfly.b32 %r10|%p3, %r1, 1, 31, 65535;", "shfl.sync: lane 16 is not a member of its mask 0000ffff" },
        { "a vote that lanes miss", "@%p1 vote.sync.any.pred %p3, %p1, -1;", "vote.sync of lanes ffffffff by lanes 0000ffff" },
        { "matrices loaded by half a warp", "@%p1 ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%r10, %r11, %r12, %r13}, [%r4];", "ldmatrix by lanes 0000ffff" },
        {
            "a product by half a warp",
            "@%p1 mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%f1, %f2, %f3, %f4}, {%r1, %r1, %r1, %r1}, {%r1, %r1}, {%f1, %f2, %f3, %f4};",
            "mma by lanes 0000ffff"
        },
        {
            "an asynchronous copy that is read before it was awaited",
            "@%p4 cp.async.cg.shared.global [%r4], [%rd1], 16; cp.async.commit_group; @%p4 ld.shared.u32 %r10, [%r4];",
            "shared byte 0 is read before the asynchronous copy into it was awaited"
        },
        {
            "a wait for one group too few",
            "@%p4 cp.async.cg.shared.global [%r4], [%rd1], 16; cp.async.commit_group; cp.async.wait_group 1; @%p4 ld.shared.u32 %r10, [%r4];",
            "shared byte 0 is read before the asynchronous copy into it was awaited"
        },
        {
            "a copy over what another warp may still read",
            "@%p4 st.shared.v4.u32 [%r4], {%r1, %r1, %r1, %r1}; bar.sync 0; @!%p2 ld.shared.u32 %r10, [%r4]; bar.warp.sync -1; "
                + "@%p4 cp.async.cg.shared.global [%r4], [%rd1], 16; cp.async.commit_group; cp.async.wait_group 0;",
            "race: warp 1 reads shared byte 0, which warp 0 writes"
        },
        { "a misaligned asynchronous copy", "@%p4 cp.async.cg.shared.global [%r4+8], [%rd1], 16;", "misaligned cp.async" },
        { "a misaligned asynchronous copy of 4 bytes", "@%p4 cp.async.ca.shared.global [%r4+2], [%rd1], 4;", "misaligned cp.async" },
        { "a copy of 4 bytes that is to pass by the first cache", "@%p4 cp.async.cg.shared.global [%r4], [%rd1], 4;", "cp.async of 4 of 4 bytes" },
        { "an asynchronous copy from a wild address", "@%p4 cp.async.cg.shared.global [%r4], [%rd4], 16;", "cp.async of 16 bytes from" },
        { "a copy that nobody waits for", "@%p4 cp.async.cg.shared.global [%r4], [%rd1], 16; cp.async.commit_group;", "lane 0 ends with asynchronous copies" },
        { "a branch called uniform that is not", "@%p1 bra.uni END; END:", "bra.uni by lanes 0000ffff of ffffffff" },
        { "a division by zero", "mov.u32 %r10, 0; div.s32 %r11, %r1, %r10;", "division by zero" },
        { "a shared address that is none", "cvta.to.shared.u64 %rd2, %rd1;", "which is no shared address" },
    };

    public static TheoryData<string, string> Unknown => new()
    {
        { "tanh.approx.f32 %f1, %f2;", "the machine does not know the instruction tanh.approx.f32" },
        { "add.u32 %r999, %q1, 1;", "register %q1 is not declared" },
        { "mov.u32 %r10, nowhere;", "nowhere is not declared" },
        { "mov.u32 %r10, %clock;", "register %clock is not declared" },
        { "bar.sync 1;", "a barrier that is not that of the whole block" },
        { "bra NOWHERE;", "label NOWHERE is not defined" },
        { "ld.param.u32 %r10, [probe_param_0+8];", "a load beyond parameter probe_param_0" },
        { "add.u32 %r10;", "operands are missing" },
    };

    [Theory]
    [MemberData(nameof(Faults))]
    public void A_fault_is_told_with_its_line_block_and_warp(string fault, string body, string expected)
    {
        string message = Assert.Throws<CudaException>(() => Run(body)).Message;
        Assert.True(message.Contains(expected, StringComparison.Ordinal), $"{fault}: {message}");
        Assert.Contains("line ", message, StringComparison.Ordinal);
        Assert.Contains("warp ", message, StringComparison.Ordinal);
        Assert.Contains("block 0,0,0", message, StringComparison.Ordinal);
    }

    [Theory]
    [MemberData(nameof(Unknown))]
    public void What_the_machine_does_not_know_is_refused_with_its_line(string body, string expected)
    {
        string message = Assert.Throws<CudaException>(() => Run(body)).Message;
        Assert.Contains(expected, message, StringComparison.Ordinal);
        Assert.Contains("line ", message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_healthy_kernel_runs()
    {
        Run("st.global.u32 [%rd5], %r2; st.shared.u16 [%r5], %rs1; bar.sync 0; ld.shared.u16 %rs2, [%r5];");
        Assert.Equal(Enumerable.Range(0, 64), Stored());
    }

    /// <summary>fma.rn.bf16x2: subnormal numbers count, ties go to even, and what a longer format would round away still decides.</summary>
    [Theory]
    [InlineData(0x00ff0080, 0x7f007f00, 0x00000000, 0x407f4000)] // 255 and 128 times 2^-133, by 2^127
    [InlineData(0x00010000, 0x7f00ff00, unchecked((int)0xbc80bc80), unchecked((int)0x0000bc80))] // 1/64 - 1/64, and -0 - 1/64
    [InlineData(0x3f883f88, 0x3f883f88, 0x0d808d80, 0x3f913f90)] // 1.0625 squared lies between two numbers; plus and minus 2^-100
    [InlineData(0x3f803f80, 0x3f803f80, 0x3b803c40, 0x3f803f82)] // 1 + 2^-8 and 1 + 3 * 2^-8: both to even
    [InlineData(0x7f7f7f80, 0x40007fc0, 0x00000000, 0x7f807fff)] // beyond the largest number, and not a number
    public void A_pair_of_bf16_is_rounded_once(int a, int b, int c, int expected)
    {
        Run(string.Create(
            CultureInfo.InvariantCulture,
            $"mov.b32 %r10, {a}; mov.b32 %r11, {b}; mov.b32 %r12, {c}; fma.rn.bf16x2 %r13, %r10, %r11, %r12; st.global.u32 [%rd5], %r13;"));
        Assert.All(Stored(), value => Assert.Equal(expected, value));
    }

    public void Dispose()
    {
        _context.Free(_memory);
        _context.DestroyStream(_stream);
        _context.Dispose();
    }

    private int[] Stored()
    {
        var values = new int[GlobalBytes / sizeof(int)];
        unsafe
        {
            fixed (int* target = values)
            {
                _context.Copy(_memory, (nint)target, GlobalBytes, _stream);
                _context.Synchronize(_stream);
            }
        }

        return values;
    }

    private void Run(string body)
    {
        string text = $$"""
            .version 7.8
            .target sm_80
            .address_size 64
            .visible .entry probe(
                .param .u64 probe_param_0
            )
            .maxntid 64, 1, 1
            {
                .reg .pred %p<5>;
                .reg .b16 %rs<3>;
                .reg .f32 %f<5>;
                .reg .b32 %r<14>;
                .reg .b64 %rd<6>;
                .shared .align 16 .b8 tile[128];
                .local .align 16 .b8 depot[16];
                ld.param.u64 %rd1, [probe_param_0];
                mov.u32 %r1, %laneid;
                mov.u32 %r2, %tid.x;
                mov.u32 %r4, tile;
                mul.lo.u32 %r5, %r2, 2;
                add.u32 %r5, %r5, %r4;
                mul.wide.u32 %rd5, %r2, 4;
                add.u64 %rd5, %rd1, %rd5;
                cvt.u16.u32 %rs1, %r2;
                mov.u64 %rd3, depot;
                mov.u64 %rd4, 8192;
                mov.f32 %f1, 0f00000000;
                mov.f32 %f2, %f1;
                mov.f32 %f3, %f1;
                mov.f32 %f4, %f1;
                setp.lt.u32 %p1, %r1, 16;
                setp.lt.u32 %p2, %r2, 32;
                setp.eq.u32 %p4, %r2, 0;
                {{body.Replace("; ", ";\n", StringComparison.Ordinal).Replace(": ", ":\n", StringComparison.Ordinal)}}
                ret;
            }
            """;
        using var modules = new KernelModules(_context, _ => [.. Encoding.UTF8.GetBytes(text), 0]);
        modules.Launch(Probe, (1, 1, 1), 0, _stream, [_memory]);
        _context.Synchronize(_stream);
    }
}
