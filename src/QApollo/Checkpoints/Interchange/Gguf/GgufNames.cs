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
            ParameterRole.Query or ParameterRole.QueryBias => "attn_q",
            ParameterRole.Key or ParameterRole.KeyBias => "attn_k",
            ParameterRole.Value or ParameterRole.ValueBias => "attn_v",
            ParameterRole.Output or ParameterRole.OutputBias => "attn_output",
            ParameterRole.Gate or ParameterRole.GateBias => "ffn_gate",
            ParameterRole.Up or ParameterRole.UpBias => "ffn_up",
            ParameterRole.Down or ParameterRole.DownBias => "ffn_down",
            ParameterRole.QueryNorm => "attn_q_norm",
            ParameterRole.KeyNorm => "attn_k_norm",
            _ => throw new ArgumentOutOfRangeException(nameof(parameter), parameter.Role, "no such parameter in GGUF files"),
        };
        string layer = parameter.Layer < 0 ? string.Empty : $"blk.{parameter.Layer}.";
        return $"{layer}{stem}.{(parameter.IsBias ? "bias" : "weight")}";
    }
}
