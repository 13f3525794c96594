using System.Reflection;

namespace QApollo.Cuda.Tests;

/// <summary>Where the sources are that a test reads.</summary>
internal static class Repository
{
    public static string Root { get; } = Metadata("Repository");

    public static string Kernels => Path.Combine(Root, "src", "QApollo.Cuda", "Kernels");

    public static string SimtLibrary { get; } = Metadata("SimtLibrary");

    public static string PtxLibrary { get; } = Metadata("PtxLibrary");

    private static string Metadata(string key) => typeof(Repository).Assembly.GetCustomAttributes<AssemblyMetadataAttribute>().Single(a => a.Key == key).Value!;
}
