using QApollo.Models;
using QApollo.TestSupport.Goldens;

namespace QApollo.Tests.Models;

/// <summary>The config.json files of public models, as they are published.</summary>
internal static class Published
{
    public static IReadOnlyList<string> Names { get; } = ["llama-3.2-1b", "qwen2.5-0.5b", "qwen3-0.6b", "mistral-7b-v0.3"];

    public static LlamaConfig Configuration(string name) =>
        LlamaConfigJson.Read(Path.Combine(GoldenFolder.RepositoryRoot, "tests", "QApollo.Tests", "Models", "Configurations", name + ".json"));
}
