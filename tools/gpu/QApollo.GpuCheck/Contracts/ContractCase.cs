using System.Globalization;
using System.Reflection;

namespace QApollo.GpuCheck.Contracts;

/// <summary>One test of a contract with its arguments.</summary>
internal sealed record ContractCase(DeviceContractEntry Contract, MethodInfo Method, object?[] Arguments)
{
    public string Name => $"{Contract.Name}: {Method.Name.Replace('_', ' ')} ({string.Join(", ", Arguments.Select(Text))})";

    private static string? Text(object? argument) => Convert.ToString(argument, CultureInfo.InvariantCulture);
}
