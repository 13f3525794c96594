using System.CommandLine;

namespace QApollo.Cli.Options;

/// <summary>An option of the parser that was made from a declaration.</summary>
internal interface IDeclaredOption
{
    OptionSpec Spec { get; }
}

/// <summary>One that takes values; they are read by the declaration itself.</summary>
internal sealed class DeclaredOption : Option<string[]>, IDeclaredOption
{
    public DeclaredOption(OptionSpec spec)
        : base(spec.Name)
    {
        Spec = spec;
        Description = spec.Help;
        Arity = ArgumentArity.ZeroOrMore;
        AllowMultipleArgumentsPerToken = spec.IsList;
    }

    public OptionSpec Spec { get; }
}

/// <summary>One without a value.</summary>
internal sealed class DeclaredFlag : Option<bool>, IDeclaredOption
{
    public DeclaredFlag(OptionSpec spec)
        : base(spec.Name)
    {
        Spec = spec;
        Description = spec.Help;
    }

    public OptionSpec Spec { get; }
}
