using System.Globalization;
using System.Text.Json;
using QApollo.Files;

namespace QApollo.Data;

/// <summary>Reads the sources of a mixture from what a person gives as data: <c>PATH=WEIGHT ...</c>, or one JSON file.</summary>
public static class MixtureParser
{
    /// <summary>The sources that <paramref name="data"/> stands for; null: it has no weights, and is one source.</summary>
    /// <exception cref="UsageException">Only some paths have a weight, or the JSON file is none of a mixture.</exception>
    public static IReadOnlyList<MixtureSource>? TryParse(IReadOnlyList<string> data)
    {
        ArgumentNullException.ThrowIfNull(data);
        if (data.Count == 1 && data[0].EndsWith(".json", StringComparison.OrdinalIgnoreCase) && File.Exists(data[0]))
        {
            return Checked(ReadFile(data[0]), data[0]);
        }

        (string Path, double? Weight)[] parts = [.. data.Select(Split)];
        if (parts.All(part => part.Weight is null))
        {
            return null;
        }

        if (Array.Find(parts, part => part.Weight is null).Path is { } bare)
        {
            throw new UsageException($"--data: {bare} has no weight, but others have: give each one, as {bare}=0.5, or none");
        }

        string[] names = [.. parts.Select(part => NameOf(part.Path))];
        return Checked(
            [.. parts.Select((part, i) => new MixtureSource(names.Count(name => name == names[i]) > 1 ? part.Path : names[i], [part.Path], part.Weight!.Value))],
            "--data");
    }

    /// <summary>The paths without weights.</summary>
    public static IEnumerable<string> Paths(IReadOnlyList<string> data) =>
        TryParse(data)?.SelectMany(source => source.Data) ?? data;

    private static (string Path, double? Weight) Split(string text)
    {
        int equals = text.LastIndexOf('=');
        return equals > 0
            && !File.Exists(text)
            && !Directory.Exists(text)
            && double.TryParse(text.AsSpan(equals + 1), NumberStyles.Float, CultureInfo.InvariantCulture, out double weight)
            ? (text[..equals], weight)
            : (text, null);
    }

    private static string NameOf(string path) => Path.GetFileName(Path.TrimEndingDirectorySeparator(path)) is { Length: > 0 } name ? name : path;

    private static IReadOnlyList<MixtureSource> Checked(IReadOnlyList<MixtureSource> sources, string where)
    {
        foreach (MixtureSource source in sources)
        {
            if (!(source.Weight > 0 && source.Weight <= 1e9))
            {
                throw new UsageException(string.Create(
                    CultureInfo.InvariantCulture, $"{where}: the weight of {source.Name} is {source.Weight}: give a number above 0, such as its share"));
            }

            if (sources.Count(other => other.Name == source.Name) > 1)
            {
                throw new UsageException($"{where}: there are two sources {source.Name}: give each a name or path of its own");
            }
        }

        return sources;
    }

    /// <summary><c>{"sources": [{"name": "web", "data": "web/", "weight": 0.7}, ...]}</c>; paths are relative to the file's folder.</summary>
    private static MixtureSource[] ReadFile(string path)
    {
        using JsonDocument document = JsonFile.Read(path);
        string folder = Path.GetDirectoryName(Path.GetFullPath(path))!;
        try
        {
            MixtureSource[] sources = [.. document.RootElement.GetProperty("sources").EnumerateArray().Select(Source)];
            return sources.Length > 0 ? sources : throw new InvalidOperationException();
        }
        catch (Exception e) when (e is InvalidOperationException or KeyNotFoundException or FormatException or IndexOutOfRangeException)
        {
            throw new UsageException(
                $"{path}: describes no mixture; that looks like {{\"sources\": [{{\"name\": \"web\", \"data\": \"web/\", \"weight\": 0.7}}, ...]}}", e);
        }

        MixtureSource Source(JsonElement source)
        {
            // Whatever else is said would not be done.
            if (source.EnumerateObject().Select(property => property.Name).FirstOrDefault(name => name is not ("name" or "data" or "weight")) is { } unknown)
            {
                throw new UsageException($"{path}: a source has \"{unknown}\"; known are \"name\", \"data\" and \"weight\"");
            }

            JsonElement data = source.GetProperty("data");
            string[] paths = data.ValueKind == JsonValueKind.Array
                ? [.. data.EnumerateArray().Select(Text)]
                : [Text(data)];
            string name = source.TryGetProperty("name", out JsonElement given) ? Text(given) : NameOf(paths[0]);
            return new MixtureSource(name, [.. paths.Select(entry => Path.Combine(folder, entry))], source.GetProperty("weight").GetDouble());
        }

        static string Text(JsonElement element) =>
            element.GetString() is { Length: > 0 } text && !text.Any(char.IsControl) ? text : throw new InvalidOperationException();
    }
}
