using System.Text.Json.Serialization;

namespace QApollo.Reports;

/// <summary>
/// What an operation of the CUDA kernels costs a multiprocessor for each unit of its work: a FLOP of products and attention, a byte of
/// everything else (see <see cref="OperationWork"/>). Exact counts of the shipped PTX, taken on slices of LLaMA-7B's shapes.
/// </summary>
/// <param name="Operation">As a trace names it.</param>
/// <param name="Form">As <see cref="OperationWork.Form"/>.</param>
/// <param name="TensorFlops">FLOP that tensor cores execute, masked and padded ones included.</param>
/// <param name="Instructions">Warp instructions.</param>
/// <param name="Wavefronts">Accesses of shared memory, 128 bytes each.</param>
/// <param name="LeastWavefronts">As many would move the same bytes.</param>
/// <param name="Sectors">Of 32 bytes, between multiprocessors and the second-level cache.</param>
/// <param name="LeastSectors">As many would hold each warp's bytes.</param>
public sealed record OperationCost(
    string Operation, string Form, double TensorFlops, double Instructions, double Wavefronts, double LeastWavefronts, double Sectors, double LeastSectors)
{
    /// <summary>Warp instructions for each `mma` of 16 x 8 x 16; null where tensor cores do nothing.</summary>
    [JsonIgnore]
    public double? InstructionsPerMma => TensorFlops == 0 ? null : Instructions / TensorFlops * MmaFlops;

    /// <summary>2 x 16 x 8 x 16.</summary>
    public const double MmaFlops = 4096;
}
