namespace QApollo.Cuda.Tests.Simt;

/// <summary>A copy of the emulator with globals of its own: claims and counts of one test do not reach others.</summary>
internal sealed class SimtCopy : IDisposable
{
    public SimtCopy()
    {
        File.Copy(Repository.SimtLibrary, Path);
        Library = new SimtLibrary(Path);
    }

    public string Path { get; } = System.IO.Path.Combine(System.IO.Path.GetTempPath(), $"simt-{Guid.NewGuid():N}.so");

    public SimtLibrary Library { get; }

    /// <summary>The copy of one test class, whose tests do not run beside each other. A copy keeps its threads' stacks, so a process cannot have many.</summary>
    public static SimtCopy Of<TTests>() => PerClass<TTests>.Copy;

    public void Dispose() => File.Delete(Path);

    private static class PerClass<TTests>
    {
        public static SimtCopy Copy { get; } = Create();

        private static SimtCopy Create()
        {
            var copy = new SimtCopy();
            AppDomain.CurrentDomain.ProcessExit += (_, _) => copy.Dispose();
            return copy;
        }
    }
}
