using System.Globalization;
using System.Runtime.InteropServices;
using System.Text;

namespace QApollo.Data;

/// <summary>
/// English text that every machine with the .NET SDK has: the XML documentation beside its reference assemblies. It is
/// what a first run trains on when no data is given.
/// </summary>
public sealed class SdkDocumentation
{
    private readonly List<FileInfo> _files;

    private SdkDocumentation(string folder, List<FileInfo> files)
    {
        Folder = folder;
        _files = files;
        Bytes = files.Sum(file => file.Length);
    }

    /// <summary>The SDK's "packs" folder.</summary>
    public string Folder { get; }

    /// <summary>Paths of the XML files, each name once, from the newest version of each pack; sorted by name.</summary>
    public IReadOnlyList<string> Files => _files.ConvertAll(file => file.FullName);

    /// <summary>Size of the XML files; the text is about half of it.</summary>
    public long Bytes { get; }

    /// <summary>One line for people: what is used and from where.</summary>
    public string Description => string.Create(
        CultureInfo.InvariantCulture, $"documentation of the .NET SDK: {_files.Count} files, {Bytes / 1e6:F1} MB of XML in {Folder}");

    /// <summary>Looks in <c>DOTNET_ROOT</c>, beside the running runtime and in the usual folders of the system.</summary>
    /// <exception cref="UsageException">There is none; the message says what to pass instead.</exception>
    public static SdkDocumentation Find() => Find(Roots());

    /// <summary>Looks in the given .NET root folders; the first that has documentation is used.</summary>
    /// <exception cref="UsageException">There is none; the message says what to pass instead.</exception>
    public static SdkDocumentation Find(IEnumerable<string> dotnetRoots)
    {
        string[] roots = [.. dotnetRoots];
        return TryFind(roots) ?? throw new UsageException(
            $"no documentation of the .NET SDK on this machine (looked for packs/*/ref/*.xml in {string.Join(", ", roots)}): pass text of your own, --data <file or folder>");
    }

    /// <summary>As <see cref="Find()"/>; null where there is none.</summary>
    public static SdkDocumentation? TryFind() => TryFind(Roots());

    private static SdkDocumentation? TryFind(IEnumerable<string> roots)
    {
        foreach (string root in roots)
        {
            string packs = Path.Combine(root, "packs");
            List<FileInfo> files = Directory.Exists(packs) ? DocumentationIn(packs) : [];
            if (files.Count > 0)
            {
                return new SdkDocumentation(packs, files);
            }
        }

        return null;
    }

    /// <summary>One UTF-8 document per file, in the order of <see cref="Files"/>. A text that many members share is given once.</summary>
    /// <param name="maxBytes">At most this much text, taken from the beginnings of all files in proportion to their sizes.</param>
    public IEnumerable<ReadOnlyMemory<byte>> ReadDocuments(long maxBytes = long.MaxValue)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(maxBytes, 1);
        var seen = new HashSet<UInt128>();
        var document = new StringBuilder();
        double quota = 0;
        foreach (FileInfo file in _files)
        {
            // What a file leaves unused goes to those after it.
            quota += maxBytes * ((double)file.Length / Bytes);
            document.Clear();
            int bytes = 0;
            using (FileStream stream = file.OpenRead())
            {
                foreach (string member in XmlDocumentationText.Read(stream, file.FullName, seen))
                {
                    int size = Encoding.UTF8.GetByteCount(member);
                    if (bytes + size > quota)
                    {
                        break;
                    }

                    bytes += size;
                    document.Append(member);
                }
            }

            quota -= bytes;
            if (bytes > 0)
            {
                yield return Encoding.UTF8.GetBytes(document.ToString());
            }
        }
    }

    private static List<FileInfo> DocumentationIn(string packs)
    {
        var files = new SortedDictionary<string, FileInfo>(StringComparer.Ordinal);
        foreach (DirectoryInfo pack in new DirectoryInfo(packs).EnumerateDirectories().OrderBy(pack => pack.Name, StringComparer.Ordinal))
        {
            DirectoryInfo? references = pack.EnumerateDirectories()
                .OrderByDescending(version => VersionOf(version.Name))
                .Select(version => new DirectoryInfo(Path.Combine(version.FullName, "ref")))
                .FirstOrDefault(folder => folder.Exists);
            DirectoryInfo? framework = references?.EnumerateDirectories().OrderByDescending(target => VersionOf(target.Name)).FirstOrDefault();
            foreach (FileInfo file in framework?.EnumerateFiles("*.xml") ?? [])
            {
                files.TryAdd(file.Name, file);
            }
        }

        return [.. files.Values];
    }

    /// <summary>10.0.2 of "10.0.2-preview.3", 10.0 of "net10.0"; 0.0 where the name is no version.</summary>
    private static Version VersionOf(string name)
    {
        ReadOnlySpan<char> digits = name.AsSpan().TrimStart("net");
        int suffix = digits.IndexOf('-');
        return Version.TryParse(suffix < 0 ? digits : digits[..suffix], out Version? version) ? version : new Version(0, 0);
    }

    private static IEnumerable<string> Roots()
    {
        string? configured = Environment.GetEnvironmentVariable("DOTNET_ROOT");
        if (!string.IsNullOrEmpty(configured))
        {
            yield return configured;
        }

        // <root>/shared/Microsoft.NETCore.App/<version>/; a self-contained program has no such parents.
        string? running = Path.GetDirectoryName(Path.TrimEndingDirectorySeparator(RuntimeEnvironment.GetRuntimeDirectory()));
        if (Path.GetDirectoryName(Path.GetDirectoryName(running)) is { Length: > 0 } root)
        {
            yield return root;
        }

        if (OperatingSystem.IsWindows())
        {
            yield return Path.Combine(Environment.GetFolderPath(Environment.SpecialFolder.ProgramFiles), "dotnet");
        }
        else
        {
            yield return "/usr/share/dotnet";
            yield return "/usr/lib/dotnet";
            yield return "/usr/local/share/dotnet";
        }

        string home = Environment.GetFolderPath(Environment.SpecialFolder.UserProfile);
        if (home.Length > 0)
        {
            yield return Path.Combine(home, ".dotnet");
        }
    }
}
