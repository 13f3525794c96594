using System.Runtime.InteropServices;
using QApollo.Checkpoints;
using QApollo.Files;
using QApollo.Models;

namespace QApollo.TestSupport;

/// <summary>Writes a model as Hugging Face has it: config.json and model.safetensors, with random weights.</summary>
public static class HuggingFaceFolder
{
    /// <returns>The values by name, before they were rounded to the file's dtype.</returns>
    /// <param name="dtype">F32 or F16.</param>
    public static Dictionary<string, float[]> Write(string folder, LlamaConfig config, int seed, SafetensorsDType dtype = SafetensorsDType.F32)
    {
        Directory.CreateDirectory(folder);
        PendingFile.WriteAll(Path.Combine(folder, "config.json"), LlamaConfigJson.ToUtf8(config, dtype == SafetensorsDType.F32 ? "float32" : "float16"));
        Dictionary<string, float[]> values = Values(config, seed);
        using var writer = new SafetensorsWriter(Path.Combine(folder, "model.safetensors"), ParameterTable.Of(config).Select(parameter => Declare(parameter, dtype)));
        foreach (SafetensorsEntry entry in writer.Entries)
        {
            writer.Write(entry, Bytes(values[entry.Name], dtype));
        }

        writer.Complete();
        return values;
    }

    /// <summary>Norms around 1, biases and matrices around 0.</summary>
    public static Dictionary<string, float[]> Values(LlamaConfig config, int seed)
    {
        var random = new Random(seed);
        return ParameterTable.Of(config).ToDictionary(
            parameter => parameter.Name,
            parameter => Enumerable.Range(0, (int)parameter.Elements)
                .Select(_ => (parameter.IsNorm ? 1 : 0) + (float)((random.NextDouble() - 0.5) * 0.3)).ToArray());
    }

    private static SafetensorsDeclaration Declare(Parameter parameter, SafetensorsDType dtype) =>
        new(parameter.Name, dtype, parameter.IsVector ? [parameter.Columns] : [parameter.Rows, parameter.Columns]);

    private static byte[] Bytes(float[] values, SafetensorsDType dtype) => dtype == SafetensorsDType.F32
        ? MemoryMarshal.AsBytes<float>(values).ToArray()
        : MemoryMarshal.AsBytes<Half>(Array.ConvertAll(values, value => (Half)value)).ToArray();
}
