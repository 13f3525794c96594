using Xunit;

namespace QApollo.Cli.Tests.Attacks;

/// <summary>Tests that call the program in this process, and so have the console: one at a time.</summary>
[CollectionDefinition(Name)]
public sealed class ConsoleCollection
{
    public const string Name = "console";
}
