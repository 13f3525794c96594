using System.Globalization;
using System.Reflection;
using Xunit;
using Xunit.Sdk;

namespace QApollo.GpuCheck.Contracts;

/// <summary>Finds the tests of a contract as xunit does: facts, and theories with their data.</summary>
internal static class ContractCases
{
    /// <param name="perTheory">The first so many of a theory's data; all if it has fewer.</param>
    /// <param name="random">So many random shapes more, for every theory that has shapes.</param>
    public static IEnumerable<ContractCase> Of(DeviceContractEntry contract, int perTheory, int random, RandomShapes shapes)
    {
        foreach (MethodInfo method in contract.Type.GetMethods(BindingFlags.Public | BindingFlags.Instance))
        {
            if (method.GetCustomAttribute<FactAttribute>() is null)
            {
                continue;
            }

            foreach (object?[] arguments in Data(method).Take(perTheory))
            {
                yield return new ContractCase(contract, method, arguments);
            }

            for (int i = 0; i < random && RandomShapes.Has(method); i++)
            {
                yield return new ContractCase(contract, method, shapes.Draw(method));
            }
        }
    }

    /// <summary>The arguments of each call; a fact is called once without any.</summary>
    private static IEnumerable<object?[]> Data(MethodInfo method)
    {
        DataAttribute[] sources = [.. method.GetCustomAttributes<DataAttribute>()];
        return sources.Length == 0 ? [[]] : sources.SelectMany(source => source.GetData(method)).Select(data => Converted(data, method));
    }

    /// <summary>Attributes hold 1 for a parameter that takes 1.0 or 1L.</summary>
    private static object?[] Converted(object?[] data, MethodInfo method) =>
    [
        .. data.Zip(method.GetParameters(), (value, parameter) =>
            value is IConvertible number && value.GetType() != parameter.ParameterType && !parameter.ParameterType.IsEnum
                ? Convert.ChangeType(number, parameter.ParameterType, CultureInfo.InvariantCulture)
                : value),
    ];
}
