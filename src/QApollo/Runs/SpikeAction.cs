namespace QApollo.Runs;

/// <summary>What a run does when its loss jumps or is worse than a guess.</summary>
public enum SpikeAction
{
    /// <summary>Says so and goes on.</summary>
    Warn,

    /// <summary>
    /// Leaves that step's update out: its loss is known before the first weight changes. The step counts and its data is used up. A jump
    /// of the gradient alone comes too late for this: a layer's gradient is released into its update before the next layer's exists.
    /// </summary>
    Skip,

    /// <summary>
    /// Goes back to the newest checkpoint and on from there, with the data behind that which led to the spike (as PaLM's
    /// training did, arXiv 2204.02311, section 5.1).
    /// </summary>
    Rewind,

    /// <summary>Ends the run before it saves; earlier checkpoints stand.</summary>
    Stop,
}
