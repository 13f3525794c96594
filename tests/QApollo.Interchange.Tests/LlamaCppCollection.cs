using Xunit;

namespace QApollo.Interchange.Tests;

/// <summary>llama.cpp takes all cores: its tests run one after another.</summary>
[CollectionDefinition(Name, DisableParallelization = true)]
public class LlamaCppCollection
{
    public const string Name = "llama.cpp";
}
