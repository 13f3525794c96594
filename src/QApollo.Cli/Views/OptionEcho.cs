using QApollo.Cli.Options;

namespace QApollo.Cli.Views;

/// <summary>The options in force, as they would be typed: what is shown can be pasted behind `qapollo train`.</summary>
internal static class OptionEcho
{
    /// <summary>A line for each group of options.</summary>
    /// <param name="all">Also those that have their defaults.</param>
    public static IEnumerable<string> Lines(OptionValues values, bool all)
    {
        foreach (IGrouping<string, OptionSpec> group in values.Specs.Where(spec => !spec.IsTransient && (all || values.IsChanged(spec))).GroupBy(spec => spec.Group))
        {
            string[] typed = [.. group.Select(values.Typed).OfType<string>()];
            if (typed.Length > 0)
            {
                yield return $"{group.Key}: {string.Join(' ', typed)}";
            }
        }
    }
}
