namespace QApollo.Models;

/// <summary>
/// The model classes of Hugging Face that are LLaMA-shaped. They differ in which biases and norms exist
/// (<see cref="LlamaConfig"/> says it for each model) and in what a config.json means where it leaves something out.
/// </summary>
public enum ModelArchitecture
{
    /// <summary><c>LlamaForCausalLM</c>: LLaMA 1 to 3.2, TinyLlama, SmolLM2, OpenLLaMA, Yi, DeepSeek-LLM, Granite-Code.</summary>
    Llama = 0,

    /// <summary><c>MistralForCausalLM</c>: no biases; a window may limit how far attention reaches back.</summary>
    Mistral,

    /// <summary><c>Qwen2ForCausalLM</c>: Qwen 2 and 2.5: biases at queries, keys and values.</summary>
    Qwen2,

    /// <summary><c>Qwen3ForCausalLM</c>: an RMSNorm over each head's queries and keys.</summary>
    Qwen3,
}
