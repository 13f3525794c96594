using System.Globalization;
using System.Text.RegularExpressions;

namespace QApollo.Parallel;

/// <summary>
/// What `srun` tells its tasks where no MPI plugin speaks for it (`--mpi=none`): ranks that meet by TCP on the first host of their
/// step. A batch script, which is no step of several tasks, is a process by itself.
/// </summary>
internal static partial class SlurmStep
{
    public const string Rank = "SLURM_PROCID";

    public const string Size = "SLURM_STEP_NUM_TASKS";

    /// <summary>Below those that systems give to connections by themselves (32768 and up on Linux).</summary>
    private const int FirstPort = 20000;

    private const int Ports = 10000;

    public static bool Has(Func<string, string?> environment) => environment(Rank) is { Length: > 0 } && Number(environment, Size) > 1;

    /// <summary>MASTER_ADDR, else the host of task 0, which is the first of the step's.</summary>
    /// <returns>Null where Slurm tells neither.</returns>
    public static string? Address(Func<string, string?> environment) =>
        environment("MASTER_ADDR") is { Length: > 0 } given ? given
        : environment("SLURM_STEP_NUM_NODES") == "1" ? "localhost"
        : environment("SLURM_STEP_NODELIST") is { Length: > 0 } hosts ? FirstHost(hosts) : null;

    /// <summary>MASTER_PORT, else one that belongs to the step, so that those which share a host keep apart.</summary>
    public static string Port(Func<string, string?> environment) => environment("MASTER_PORT") is { Length: > 0 } given
        ? given
        : (FirstPort + (((31 * Number(environment, "SLURM_JOB_ID")) + Number(environment, "SLURM_STEP_ID")) % Ports)).ToString(CultureInfo.InvariantCulture);

    /// <summary>Of "r[1-2]n[03,07-09],gpu1": r1n03.</summary>
    private static string FirstHost(string hosts) => FirstNumber().Replace(FirstGroup().Match(hosts).Value, "$1");

    /// <summary>Up to the first comma outside of brackets.</summary>
    [GeneratedRegex(@"^(?:[^,\[]|\[[^\]]*\])+")]
    private static partial Regex FirstGroup();

    /// <summary>Numbers in brackets; of them, the first.</summary>
    [GeneratedRegex(@"\[([^\],-]+)[^\]]*\]")]
    private static partial Regex FirstNumber();

    private static long Number(Func<string, string?> environment, string name) =>
        uint.TryParse(environment(name), NumberStyles.None, CultureInfo.InvariantCulture, out uint number) ? number : 0;
}
