using QApollo.Memory;

namespace QApollo.Cli.Options;

/// <summary>Options that take a number of bytes with its unit.</summary>
internal static class SizeOption
{
    public static OptionSpec<string> Create(string name, string group, string help, string defaultValue) => new(
        name, group, help, "a size such as 16GiB", defaultValue, text => (ByteSize.TryParse(text, out _), text));

    /// <summary>Of a valid value.</summary>
    public static long Bytes(string text) => ByteSize.TryParse(text, out long bytes) ? bytes : throw new ArgumentException($"'{text}' is no size", nameof(text));
}
