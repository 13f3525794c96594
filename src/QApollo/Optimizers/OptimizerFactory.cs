using QApollo.Memory;
using QApollo.Models;

namespace QApollo.Optimizers;

/// <summary>Gives every parameter its optimizer.</summary>
public static class OptimizerFactory
{
    /// <summary>
    /// Optimizers in the order of the weights, their state declared in the table. Matrices follow
    /// <see cref="OptimizerOptions.Kind"/>, embedding and head <see cref="OptimizerOptions.EmbeddingAndHeadKind"/>;
    /// norms and biases too, but their few moments stay F32 (AdamW beside SCALE, as published).
    /// </summary>
    public static ParameterOptimizer[] Create(
        TensorTable table, ModelWeights weights, OptimizerOptions options, IProjectionSource projections)
    {
        var scratch = new OptimizerScratch(table);
        return [.. weights.All.Select(weight => Create(table, weight, weight == weights.Head, options, scratch, projections))];
    }

    private static ParameterOptimizer Create(
        TensorTable table, Weight weight, bool isLastLayer, OptimizerOptions options, OptimizerScratch scratch, IProjectionSource projections)
    {
        OptimizerKind kind = weight.Parameter.IsMatrix ? options.Kind : options.EmbeddingAndHeadKind;
        if (weight.Parameter.IsVector && kind is (OptimizerKind.AdamW8Bit or OptimizerKind.Scale))
        {
            kind = OptimizerKind.AdamW;
        }

        return kind switch
        {
            OptimizerKind.ApolloMini or OptimizerKind.Apollo => new ApolloOptimizer(table, weight, options, scratch, projections),
            OptimizerKind.AdamW => new AdamWOptimizer(table, weight, options, scratch),
            OptimizerKind.AdamW8Bit => new AdamW8BitOptimizer(table, weight, options, scratch),
            OptimizerKind.Sgd => new SgdOptimizer(weight, options, scratch),
            OptimizerKind.Scale => new ScaleOptimizer(table, weight, options, scratch, isLastLayer),
            OptimizerKind.SinkGd => new SinkGdOptimizer(weight, options, scratch),
            OptimizerKind.Racs => new RacsOptimizer(table, weight, options, scratch),
            _ => throw new ArgumentOutOfRangeException(nameof(options), kind, "unknown optimizer"),
        };
    }
}
