using QApollo.Models;

namespace QApollo.Checkpoints.Interchange.Gguf;

/// <summary>llama.cpp's names of the parameters.</summary>
internal static class GgufNames
{
    public static string Of(Parameter parameter)
    {
        string stem = parameter.Role switch
        {
            ParameterRole.Embedding => "token_embd",
            ParameterRole.FinalNorm => "output_norm",
            ParameterRole.Head => "output",
            ParameterRole.InputNorm => "attn_norm",
            ParameterRole.PostAttentionNorm => "ffn_norm",
            ParameterRole.Query => "attn_q",
            ParameterRole.Key => "attn_k",
            ParameterRole.Value => "attn_v",
            ParameterRole.Output => "attn_output",
            ParameterRole.Gate => "ffn_gate",
            ParameterRole.Up => "ffn_up",
            ParameterRole.Down => "ffn_down",
            _ => throw new ArgumentOutOfRangeException(nameof(parameter), parameter.Role, "no such parameter in GGUF files"),
        };
        string layer = parameter.Layer < 0 ? string.Empty : $"blk.{parameter.Layer}.";
        return $"{layer}{stem}.weight";
    }
}
