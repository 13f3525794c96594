using System.Globalization;
using QApollo.Memory;

namespace QApollo.Diagnostics;

/// <summary>The rows of a <see cref="DoctorReport"/>.</summary>
public static class DoctorText
{
    /// <summary>
    /// Windows hides that GPU memory has run out: the driver's default puts the rest into system memory, behind the PCIe
    /// bus, and a run goes on many times slower instead of failing.
    /// </summary>
    public const string SharedMemoryNote =
        "Windows: when GPU memory runs out, the driver takes system memory instead, without a word, and training becomes many times slower. "
        + "In the NVIDIA Control Panel, under 'Manage 3D settings', set 'CUDA - Sysmem Fallback Policy' to 'Prefer No Sysmem Fallback'; "
        + "a --budget below what is free avoids it too.";

    public static IEnumerable<string[]> DeviceRows(DeviceDiagnosis device)
    {
        foreach (Finding finding in device.Findings)
        {
            yield return [finding.Label, finding.Text];
        }

        if (device.Problem is not null)
        {
            yield return ["cannot be used", device.Problem];
            yield break;
        }

        yield return ["--budget auto", ByteSize.Format(device.BudgetBytes)];
        yield return [$"largest presets, {device.FitLength} tokens", Fits(device)];
        yield return ["self-test", SelfTest(device)];
        foreach (SelfTestCheck check in device.Checks.Where(check => !check.Passed))
        {
            yield return [
                "failed: " + check.Name,
                check.Failure ?? string.Create(CultureInfo.InvariantCulture, $"off by {check.Difference:G2}, allowed {check.Tolerance:G2}; please report it with this output")];
        }
    }

    private static string Fits(DeviceDiagnosis device) => device.Fits.Count == 0
        ? "none"
        : string.Join(", ", device.Fits.Select(fit => $"{fit.Preset.Name} ({ByteSize.Format(fit.Footprint.DeviceBytes)})"));

    private static string SelfTest(DeviceDiagnosis device)
    {
        int passed = device.Checks.Count(check => check.Passed);
        return passed == device.Checks.Count ? $"passed, {passed} checks" : $"FAILED: {device.Checks.Count - passed} of {device.Checks.Count} checks";
    }
}
