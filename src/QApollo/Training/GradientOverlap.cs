namespace QApollo.Training;

/// <summary>How far the computation goes on while gradients are summed over the ranks.</summary>
public enum GradientOverlap
{
    /// <summary>Each sum is waited for: one gradient exists at a time with one micro-batch, those of a layer with several.</summary>
    Off,

    /// <summary>To the next gradient of the layer: one more exists.</summary>
    Matrix,

    /// <summary>Through the backward pass of the next layer: those of one more layer exist.</summary>
    Layer,
}
