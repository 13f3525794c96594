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

    public void Dispose() => File.Delete(Path);
}
