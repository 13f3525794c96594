using QApollo.Files;

namespace QApollo.Checkpoints.Interchange;

/// <summary>The licence that a model's card names: <c>license: apache-2.0</c> in the header of README.md.</summary>
internal static class ModelLicense
{
    private const int MaxBytes = 1 << 20;
    private const string Fence = "---";
    private const string Key = "license:";

    /// <summary>Null where there is no card, or it names none.</summary>
    public static string? Find(string folder)
    {
        string card = Path.Combine(folder, "README.md");
        try
        {
            return File.Exists(card) ? Parse(System.Text.Encoding.UTF8.GetString(RegularFile.ReadAllBytes(card, MaxBytes))) : null;
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException or RunFailedException)
        {
            // A model without a readable card is a model all the same.
            return null;
        }
    }

    private static string? Parse(string text)
    {
        string[] lines = text.TrimStart('\uFEFF').ReplaceLineEndings("\n").Split('\n');
        if (lines[0].TrimEnd() != Fence)
        {
            return null;
        }

        string? line = lines.Skip(1).TakeWhile(item => item.TrimEnd() != Fence).FirstOrDefault(item => item.StartsWith(Key, StringComparison.Ordinal));
        string? value = line?[Key.Length..].Trim().Trim('"', '\'');
        return string.IsNullOrEmpty(value) || value.Length > 64 || value.Any(char.IsControl) ? null : value;
    }
}
