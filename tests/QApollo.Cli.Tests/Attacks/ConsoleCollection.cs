using Xunit;

namespace QApollo.Cli.Tests.Attacks;

/// <summary>
/// Tests that call the program in this process, and so have the console, and those that allocate much, since what a call allocates
/// is counted for the whole process: one at a time.
/// </summary>
[CollectionDefinition(Name)]
public sealed class ConsoleCollection
{
    public const string Name = "console";
}
