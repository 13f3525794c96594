using System.Globalization;

namespace QApollo.Cli.Options;

/// <summary>
/// The one declaration of an option: parser, help, start-up echo, run.json and --config all read it from here.
/// </summary>
internal abstract class OptionSpec(string name, string group, string help, string? rangeText)
{
    /// <summary>As typed: "--batch-size".</summary>
    public string Name { get; } = name;

    /// <summary>As written to run.json: "batchSize".</summary>
    public string Key { get; } = ToKey(name);

    /// <summary>Heading in the start-up echo.</summary>
    public string Group { get; } = group;

    public string Help { get; } = help;

    /// <summary>What values are allowed, for help and errors: "1 or more", "bytes, path".</summary>
    public string? RangeText { get; } = rangeText;

    /// <summary>The values, where they are a few words; empty otherwise.</summary>
    public IReadOnlyList<string> Words { get; init; } = [];

    /// <summary>Takes no value on the command line.</summary>
    public virtual bool IsFlag => false;

    /// <summary>May be given several times, or with several values.</summary>
    public virtual bool IsList => false;

    /// <summary>Belongs to one invocation only (such as --resume): not written to run.json.</summary>
    public bool IsTransient { get; init; }

    /// <summary>A value is the path of a folder, which may be made.</summary>
    public bool IsFolder { get; init; }

    /// <summary>Whether a value is a path, which run.json holds in full: a run goes on from any folder. Null: none ever is.</summary>
    public Func<string, bool>? IsPath { get; init; }

    /// <summary>Null when the option has no value unless one is given.</summary>
    public abstract string? DefaultText { get; }

    /// <summary>The default; null without one, and where it depends on other options.</summary>
    public abstract object? DefaultValue { get; }

    /// <summary>Parses one value; the error says what would be right.</summary>
    public abstract bool TryParse(IReadOnlyList<string> texts, out object? value, out string error);

    /// <summary>The value as a user would type it.</summary>
    public abstract string Format(object value);

    /// <summary>The path, or the first part of it, that is a file; null where a folder is or can be made.</summary>
    protected static string? FileIn(string path)
    {
        for (string? part = path; !string.IsNullOrEmpty(part); part = Path.GetDirectoryName(part))
        {
            if (File.Exists(part))
            {
                return part;
            }
        }

        return null;
    }

    private static string ToKey(string name)
    {
        string[] words = name.TrimStart('-').Split('-');
        return words[0] + string.Concat(words.Skip(1).Select(word => char.ToUpperInvariant(word[0]) + word[1..]));
    }
}

/// <summary>An option of one value.</summary>
/// <param name="parse">Null when the text is no valid value.</param>
internal class OptionSpec<T>(
    string name, string group, string help, string? rangeText, T? defaultValue, Func<string, (bool Valid, T Value)> parse,
    Func<T, string>? format = null) : OptionSpec(name, group, help, rangeText)
    where T : notnull
{
    public T? Default { get; } = defaultValue;

    /// <summary>What the help says of a default that depends on other options: "the preset's".</summary>
    public string? DefaultNote { get; init; }

    public override string? DefaultText => DefaultNote ?? (Default is null || Default.Equals(string.Empty) ? null : Format(Default));

    public override object? DefaultValue => DefaultNote is null ? Default : null;

    public override bool TryParse(IReadOnlyList<string> texts, out object? value, out string error)
    {
        value = null;
        error = string.Empty;
        string text = texts.Count == 1 ? texts[0] : string.Empty;
        if (texts.Count != 1)
        {
            error = $"{Name}: takes one value{(RangeText is null ? string.Empty : $", {RangeText}")}; got {(texts.Count == 0 ? "none" : texts.Count)}";
            return false;
        }

        if (IsFolder && FileIn(text) is { } file)
        {
            error = $"{Name}: {file} is a file; name a folder";
            return false;
        }

        (bool valid, T parsed) = parse(text);
        if (!valid)
        {
            error = $"{Name}: '{text}' is not valid; it takes {RangeText ?? "another value"}";
            return false;
        }

        value = parsed;
        return true;
    }

    public override string Format(object value) =>
        format is null ? Convert.ToString(value, CultureInfo.InvariantCulture)! : format((T)value);
}

/// <summary>An option without a value: present or not.</summary>
internal sealed class FlagSpec(string name, string group, string help)
    : OptionSpec<bool>(name, group, help, null, false, text => (bool.TryParse(text, out bool value), value), value => value ? "true" : "false")
{
    public override bool IsFlag => true;

    public override string? DefaultText => null;
}

/// <summary>An option of several texts.</summary>
internal sealed class ListSpec(string name, string group, string help, string? rangeText) : OptionSpec(name, group, help, rangeText)
{
    public override bool IsList => true;

    public override string? DefaultText => DefaultNote;

    public string? DefaultNote { get; init; }

    /// <summary>A list without entries says something else than no list.</summary>
    public bool MayBeEmpty { get; init; }

    public override object? DefaultValue => null;

    public override bool TryParse(IReadOnlyList<string> texts, out object? value, out string error)
    {
        value = texts.ToArray();
        bool isValid = texts.Count > 0 || MayBeEmpty;
        error = isValid ? string.Empty : $"{Name}: takes {RangeText}, got nothing";
        return isValid;
    }

    public override string Format(object value) => string.Join(' ', (string[])value);
}
