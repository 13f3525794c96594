using System.Text.Json;

namespace QApollo.TestSupport.Goldens;

/// <summary>
/// Where the golden reference data is: the environment variable QAPOLLO_GOLDENS, else the full set in
/// <c>../shared/goldens</c> beside the repository, else the subset in <c>tests/goldens</c>.
/// </summary>
public static class GoldenFolder
{
    public const string Variable = "QAPOLLO_GOLDENS";

    public static string RepositoryRoot { get; } = FindRepositoryRoot(AppContext.BaseDirectory);

    /// <summary>The sets that are in the repository only, such as those of tools/reference/architectures, are found here.</summary>
    private static string Subset { get; } = System.IO.Path.Combine(RepositoryRoot, "tests", "goldens");

    public static string Path { get; } = Find(Environment.GetEnvironmentVariable(Variable), RepositoryRoot);

    /// <exception cref="DirectoryNotFoundException">The variable is set, and names no folder.</exception>
    public static string Find(string? variable, string repositoryRoot)
    {
        if (!string.IsNullOrEmpty(variable))
        {
            return Directory.Exists(variable) ? variable : throw new DirectoryNotFoundException($"{Variable} names a folder that is not there: {variable}");
        }

        string full = System.IO.Path.Combine(repositoryRoot, "..", "shared", "goldens");
        return Directory.Exists(full) ? System.IO.Path.GetFullPath(full) : System.IO.Path.Combine(repositoryRoot, "tests", "goldens");
    }

    /// <summary>
    /// The sets of a kind, found by what their manifests say, so that further ones need no code. A set is a manifest
    /// <c>name.json</c> beside its tensors (called "name") or <c>name/manifest.json</c> in a folder of its own
    /// (called "name" too).
    /// </summary>
    /// <param name="kind">What the manifest's "case" begins with.</param>
    public static IReadOnlyList<string> Sets(string kind) => Sets(Path, kind);

    /// <summary>As <see cref="Sets(string)"/>, and those of the repository that <see cref="Path"/> has not.</summary>
    public static IReadOnlyList<string> SetsWithSubset(string kind) => [.. Sets(kind).Union(Sets(Subset, kind)).Order(StringComparer.Ordinal)];

    /// <summary>The path of a set or of a file of it, without extension: in <see cref="Path"/>, else in the repository's own sets.</summary>
    public static string Locate(string name)
    {
        string set = name.Split('/', '\\')[0];
        bool isHere = Directory.Exists(System.IO.Path.Combine(Path, set)) || File.Exists(System.IO.Path.Combine(Path, set + ".json"));
        return System.IO.Path.Combine(isHere ? Path : Subset, name);
    }

    /// <inheritdoc cref="Sets(string)"/>
    public static IReadOnlyList<string> Sets(string folder, string kind)
    {
        var flat = Directory.EnumerateFiles(folder, "*.json")
            .Select(manifest => (Name: System.IO.Path.GetFileNameWithoutExtension(manifest), Manifest: manifest));
        var nested = Directory.EnumerateDirectories(folder)
            .Select(set => (Name: System.IO.Path.GetFileName(set), Manifest: System.IO.Path.Combine(set, "manifest.json")));
        return
        [
            .. flat.Concat(nested)
                .Where(set => File.Exists(set.Manifest) && CaseOf(set.Manifest).StartsWith(kind, StringComparison.Ordinal))
                .Select(set => set.Name)
                .Order(StringComparer.Ordinal),
        ];
    }

    private static string CaseOf(string manifest)
    {
        using var document = JsonDocument.Parse(File.ReadAllBytes(manifest));
        return document.RootElement.TryGetProperty("case", out JsonElement value) ? value.GetString() ?? "" : "";
    }

    private static string FindRepositoryRoot(string start)
    {
        for (DirectoryInfo? folder = new(start); folder is not null; folder = folder.Parent)
        {
            if (File.Exists(System.IO.Path.Combine(folder.FullName, "QApollo.sln")))
            {
                return folder.FullName;
            }
        }

        throw new DirectoryNotFoundException($"no folder above {start} contains QApollo.sln");
    }
}
