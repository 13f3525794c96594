using System.Text.Json;
using QApollo.Cli.Views;
using QApollo.Files;

namespace QApollo.Cli.Options;

/// <summary>The values of a command's options: the command line over --config over the environment over the defaults.</summary>
internal sealed class OptionValues(IReadOnlyList<OptionSpec> specs)
{
    private readonly Dictionary<OptionSpec, object> _given = [];
    private readonly Dictionary<OptionSpec, object> _environment = [];
    private readonly HashSet<OptionSpec> _merged = [];

    public IReadOnlyList<OptionSpec> Specs { get; } = specs;

    /// <summary>Whether a value was given: on the command line, in --config, or by the environment.</summary>
    public bool IsGiven(OptionSpec spec) => Given(spec) is not null;

    /// <summary>Whether a value was given for this call alone: not by the environment.</summary>
    public bool IsExplicit(OptionSpec spec) => _given.ContainsKey(spec);

    /// <summary>Whether a value was given for this call by hand: a run.json notes every option, also those without an effect.</summary>
    public bool IsTyped(OptionSpec spec) => IsExplicit(spec) && !_merged.Contains(spec);

    public T Get<T>(OptionSpec<T> spec)
        where T : notnull => Given(spec) is { } value ? (T)value : spec.Default!;

    /// <summary>Null when not given and without a default.</summary>
    public string? GetText(OptionSpec<string> spec) => Given(spec) is { } value ? (string)value : spec.Default;

    public string[] Get(ListSpec spec) => Given(spec) is { } value ? (string[])value : [];

    public void Set(OptionSpec spec, object value) => _given[spec] = value;

    /// <summary>A value that stands where no other one is given, in the place of the default.</summary>
    public void SetFromEnvironment(OptionSpec spec, object value) => _environment[spec] = value;

    /// <summary>Takes the values of a run.json for options that are not given yet; collects what is wrong with it.</summary>
    public void MergeJson(string path, ICollection<string> errors)
    {
        try
        {
            using JsonDocument document = JsonFile.Read(path, byHand: true);
            foreach (JsonProperty property in document.RootElement.EnumerateObject())
            {
                MergeProperty(path, property, errors);
            }
        }
        catch (RunFailedException exception)
        {
            errors.Add($"{exception.Message.TrimEnd('.')}; it takes a JSON object of options, like the run.json of a run");
        }
    }

    /// <summary>Every option with its resolved value, as run.json holds it.</summary>
    public void WriteJson(Utf8JsonWriter writer)
    {
        writer.WriteStartObject();
        foreach (OptionSpec spec in Specs.Where(spec => !spec.IsTransient))
        {
            switch (Resolved(spec))
            {
                case null:
                    break;
                case string[] list:
                    writer.WriteStartArray(spec.Key);
                    foreach (string item in list)
                    {
                        writer.WriteStringValue(Full(spec, item));
                    }

                    writer.WriteEndArray();
                    break;
                case bool flag:
                    writer.WriteBoolean(spec.Key, flag);
                    break;
                case int number:
                    writer.WriteNumber(spec.Key, number);
                    break;
                case long number:
                    writer.WriteNumber(spec.Key, number);
                    break;
                case double number when double.IsFinite(number):
                    writer.WriteNumber(spec.Key, number);
                    break;
                case double:
                    break;
                case object value when spec.Format(value) is { Length: > 0 } text:
                    writer.WriteString(spec.Key, Full(spec, text));
                    break;
                default:
                    // A default that depends on other options has no text of its own.
                    break;
            }
        }

        writer.WriteEndObject();
    }

    /// <summary>The option with the value in force, as it would be typed; null when there is none.</summary>
    public string? Typed(OptionSpec spec) => Resolved(spec) switch
    {
        null => null,
        bool flag when spec.IsFlag => flag ? spec.Name : null,
        string[] list => string.Join(' ', list.Any(UnknownWords.IsOption) ? list.Select(item => Word(spec, item)) : list.Select(ShellWord.Quote).Prepend(spec.Name)),
        object value => Word(spec, spec.Format(value)),
    };

    /// <summary>Whether the value in force is another one than without any option.</summary>
    public bool IsChanged(OptionSpec spec) => Resolved(spec) is { } value && !value.Equals(spec.DefaultValue);

    /// <summary>The value in force alone, paths in full; "its default" where there is none.</summary>
    public string Shown(OptionSpec spec) => Resolved(spec) switch
    {
        null => "its default",
        bool flag => flag ? "on" : "off",
        string[] list => string.Join(' ', list.Select(item => Full(spec, item))),
        object value => Full(spec, spec.Format(value)),
    };

    /// <summary>A value that begins with dashes needs the equals sign.</summary>
    private static string Word(OptionSpec spec, string text) => $"{spec.Name}{(UnknownWords.IsOption(text) ? '=' : ' ')}{ShellWord.Quote(text)}";

    private static string Full(OptionSpec spec, string text) => spec.IsPath is { } isPath && isPath(text) ? Path.GetFullPath(text) : text;

    private object? Resolved(OptionSpec spec) => Given(spec) ?? spec.DefaultValue;

    private object? Given(OptionSpec spec) => _given.GetValueOrDefault(spec) ?? _environment.GetValueOrDefault(spec);

    private void MergeProperty(string path, JsonProperty property, ICollection<string> errors)
    {
        OptionSpec? spec = Specs.FirstOrDefault(candidate => (property.Name == candidate.Key || property.Name.TrimStart('-') == candidate.Name.TrimStart('-')) && !candidate.IsTransient);
        if (spec is null)
        {
            string? nearest = Spelling.Nearest(property.Name, Specs.Where(candidate => !candidate.IsTransient).Select(candidate => candidate.Key));
            errors.Add($"{path}: unknown option '{Printable.OnOneLine(property.Name)}'{(nearest is null ? string.Empty : $"; did you mean {nearest}?")}");
            return;
        }

        string[] texts = property.Value.ValueKind == JsonValueKind.Array
            ? [.. property.Value.EnumerateArray().Select(item => item.ToString())]
            : [property.Value.ValueKind is JsonValueKind.True ? "true" : property.Value.ValueKind is JsonValueKind.False ? "false" : property.Value.ToString()];
        if (IsExplicit(spec) || (spec == TrainOptionTable.WarmupSteps && texts is ["-1"]))
        {
            // -1: earlier versions wrote it for the default.
            return;
        }

        if (spec.TryParse(texts, out object? value, out string error))
        {
            Set(spec, value!);
            _merged.Add(spec);
        }
        else
        {
            errors.Add($"{path}: {Printable.OnOneLine(error)}");
        }
    }
}
