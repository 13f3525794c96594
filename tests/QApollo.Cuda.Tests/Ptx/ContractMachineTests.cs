using System.Globalization;
using QApollo.GpuCheck.Contracts;
using QApollo.TestSupport.Contract;
using Xunit;

namespace QApollo.Cuda.Tests.Ptx;

/// <summary>
/// Every contract on the PTX that ships, and how much of that PTX the contracts reach. The cases are those of the GPU check, so
/// what holds here is what a card will be asked.
/// </summary>
public sealed class ContractMachineTests
{
    /// <summary>Least shares of instructions that the contracts must reach, over all kernels and in each.</summary>
    private const double LeastOverall = 0.97;
    private const double LeastOfKernel = 0.90;

    private static readonly Dictionary<string, ContractCase> s_cases = AllCases();
    private static readonly Dictionary<string, string?> s_outcomes = [];
    private static readonly ContractRun s_run = new(PtxMachine.Library.Open());

    /// <summary>Weights are expanded in front of cuBLASLt only.</summary>
    private static readonly ContractRun s_besideCublasLt = new(PtxMachine.Library.Open(new CudaOptions { Gemm = GemmChoice.CublasLt, CublasLtPath = Repository.PtxLibrary }));

    public static TheoryData<string> Cases => [.. s_cases.Keys];

    [Theory]
    [MemberData(nameof(Cases))]
    public void Contract_holds(string name) => Assert.Null(Outcome(name));

    [Fact]
    public void Contracts_reach_the_instructions()
    {
        foreach (string name in s_cases.Keys)
        {
            Outcome(name);
        }

        // Tests beside this one load changed texts, whose kernels are others of the same name.
        var launched = Driver.PtxTests.LaunchedKernels.Select(kernel => kernel.Name).ToHashSet();
        KernelReport[] kernels =
        [
            .. PtxMachine.Report().Where(kernel => launched.Contains(kernel.Kernel)).GroupBy(kernel => kernel.Kernel).Select(alike => alike.MaxBy(kernel => kernel.Reached)!),
        ];
        Assert.Equal(launched.Order(StringComparer.Ordinal), kernels.Select(kernel => kernel.Kernel).Order(StringComparer.Ordinal));
        var low = new List<string>();
        foreach (KernelReport kernel in kernels)
        {
            double share = kernel.Reached / (double)kernel.Code;
            if (share < LeastOfKernel)
            {
                low.Add(string.Create(CultureInfo.InvariantCulture, $"{kernel.Kernel}: {share:P1}, not lines {string.Join(' ', kernel.Unreached.Take(12))}"));
            }
        }

        double overall = kernels.Sum(kernel => kernel.Reached) / (double)kernels.Sum(kernel => kernel.Code);
        Assert.True(low.Count == 0 && overall >= LeastOverall, string.Create(CultureInfo.InvariantCulture, $"{overall:P2} overall\n{string.Join('\n', low)}"));
    }

    /// <summary>Null for success. A case runs once, whoever asks: the tests of a class do not run beside each other.</summary>
    private static string? Outcome(string name)
    {
        if (!s_outcomes.TryGetValue(name, out string? outcome))
        {
            outcome = Run(s_run, s_cases[name]);
            if (outcome is null && IsExpansion(s_cases[name]))
            {
                outcome = Run(s_besideCublasLt, s_cases[name]);
            }

            s_outcomes.Add(name, outcome);
        }

        return outcome;
    }

    private static string? Run(ContractRun run, ContractCase test)
    {
        int before = run.Failures.Count;
        run.Run(test);
        return run.Failures.Count == before ? null : run.Failures[^1].Message;
    }

    /// <summary>Products of some hundred INT8 values, expanded before.</summary>
    private static bool IsExpansion(ContractCase test) => test.Arguments is [< 60, < 400, < 300, WeightForm.Int8By32, true];

    private static Dictionary<string, ContractCase> AllCases()
    {
        var cases = new Dictionary<string, ContractCase>();
        foreach (DeviceContractEntry contract in DeviceContracts.All)
        {
            foreach (ContractCase test in ContractCases.Of(contract, int.MaxValue, random: 0, new RandomShapes(1, 1)))
            {
                cases.TryAdd(test.Name, test);
            }
        }

        return cases;
    }
}
