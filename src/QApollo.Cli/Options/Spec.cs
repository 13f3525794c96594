using System.Globalization;

namespace QApollo.Cli.Options;

/// <summary>Makes option declarations of the usual kinds.</summary>
internal static class Spec
{
    public static OptionSpec<int> Int(string name, string group, string help, int defaultValue, int min, int max = int.MaxValue, string? defaultNote = null) => new(
        name, group, help, max == int.MaxValue ? $"a whole number, {min} or more" : $"a whole number from {min} to {max}", defaultValue,
        text => (int.TryParse(text, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out int value) && value >= min && value <= max, value))
    {
        DefaultNote = defaultNote,
    };

    public static OptionSpec<long> Long(string name, string group, string help, long defaultValue, long min) => new(
        name, group, help, $"a whole number, {min} or more", defaultValue,
        text => (long.TryParse(text, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out long value) && value >= min, value));

    /// <param name="defaultValue">NaN for a default that depends on other options.</param>
    public static OptionSpec<double> Real(
        string name, string group, string help, double defaultValue, double min, double max, string? defaultNote = null) => new(
        name, group, help,
        max == double.MaxValue ? string.Create(CultureInfo.InvariantCulture, $"a number, {min} or more") : string.Create(CultureInfo.InvariantCulture, $"a number from {min} to {max}"),
        defaultValue,
        text => (double.TryParse(text, NumberStyles.Float, CultureInfo.InvariantCulture, out double value) && value >= min && value <= max, value),
        value => value.ToString("R", CultureInfo.InvariantCulture))
        {
            DefaultNote = defaultNote,
        };

    public static OptionSpec<string> Text(string name, string group, string help, string rangeText, string? defaultValue, string? defaultNote = null) =>
        new(name, group, help, rangeText, defaultValue, text => (text.Length > 0, text)) { DefaultNote = defaultNote };

    /// <param name="isPath">For values that may be something else too; a path, if null.</param>
    public static OptionSpec<string> Path(
        string name, string group, string help, string rangeText, string? defaultValue, string? defaultNote = null, Func<string, bool>? isPath = null) =>
        new(name, group, help, rangeText, defaultValue, text => (text.Length > 0, text)) { DefaultNote = defaultNote, IsPath = isPath ?? (_ => true) };

    /// <summary>A folder, which is made where there is none.</summary>
    public static OptionSpec<string> Folder(string name, string group, string help, string? defaultValue, string? defaultNote = null) =>
        new(name, group, help, "a path", defaultValue, text => (text.Length > 0, text)) { DefaultNote = defaultNote, IsPath = _ => true, IsFolder = true };

    /// <summary>One of a few words.</summary>
    public static OptionSpec<T> Choice<T>(string name, string group, string help, T defaultValue, params (string Word, T Value)[] choices)
        where T : struct, Enum => Choice(name, group, help, defaultValue, null, choices);

    public static OptionSpec<T> Choice<T>(
        string name, string group, string help, T defaultValue, string? defaultNote, (string Word, T Value)[] choices)
        where T : struct, Enum => new(
        name, group, help, string.Join(", ", choices.Select(choice => choice.Word)), defaultValue,
        text =>
        {
            int index = Array.FindIndex(choices, choice => choice.Word.Equals(text, StringComparison.OrdinalIgnoreCase));
            return index < 0 ? (false, default) : (true, choices[index].Value);
        },
        value => Array.Find(choices, choice => choice.Value.Equals(value)).Word ?? string.Empty)
        {
            DefaultNote = defaultNote,
            Words = [.. choices.Select(choice => choice.Word)],
        };

    /// <summary>on or off; true or false in a run.json.</summary>
    public static OptionSpec<bool> Switch(string name, string group, string help, bool defaultValue) => new(
        name, group, help, "on, off", defaultValue,
        text => text switch { "on" or "true" => (true, true), "off" or "false" => (true, false), _ => (false, false) },
        value => value ? "on" : "off")
    {
        Words = ["on", "off"],
    };

    public static FlagSpec Flag(string name, string group, string help, bool transient = false) => new(name, group, help) { IsTransient = transient };
}
