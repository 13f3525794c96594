using QApollo.Checkpoints.Interchange;
using QApollo.Files;

namespace QApollo.Runs;

/// <summary>How long a run goes on and what it does beside training.</summary>
public sealed record RunOptions
{
    /// <summary>What the holder of a run's folder does there.</summary>
    public const string Work = "training";

    /// <summary>Folder of run.json, metrics.jsonl and the checkpoints.</summary>
    public required string Directory { get; init; }

    /// <summary>Held on <see cref="Directory"/> for longer than the run goes on; null: the run takes it while it writes there.</summary>
    public FolderLock? Lock { get; init; }

    /// <summary>Steps between comparisons of all weights and states over the ranks; 0 for only those before a save.</summary>
    public int CheckReplicasEvery { get; init; } = 1000;

    /// <summary>What goes into each checkpoint to make it a model for other programs: its tokenizer.</summary>
    public IReadOnlyList<InterchangeFile> ModelFiles { get; init; } = [];

    /// <summary>Updates of the whole run, those before a resume included.</summary>
    public required int MaxSteps { get; init; }

    /// <summary>What this session may take of <see cref="MaxSteps"/>, one step at least; null: as long as it needs. The schedule does not know of it.</summary>
    public SessionTime? Time { get; init; }

    /// <summary>What the run leaves to others who use its device; null: nothing. It changes no result.</summary>
    public DevicePause? Pause { get; init; }

    /// <summary>Steps between validations; 0 for only the one at the end.</summary>
    public int EvaluateEvery { get; init; }

    /// <summary>Steps between lines of quantization health in metrics.jsonl; 0 for none.</summary>
    public int HealthEvery { get; init; }

    /// <summary>Validate before the first update too: what weights that are trained on are worth as they are loaded.</summary>
    public bool EvaluateFirst { get; init; }

    /// <summary>Steps between text samples; 0 for only the one at the end.</summary>
    public int SampleEvery { get; init; }

    /// <summary>Steps between checkpoints; 0 for only the one at the end.</summary>
    public int SaveEvery { get; init; }

    /// <summary>Time between checkpoints; null for none.</summary>
    public TimeSpan? SaveInterval { get; init; }

    /// <summary>Checkpoints kept, the newest ones; 0 for all.</summary>
    public int Keep { get; init; }

    /// <summary>Whether the checkpoint of the best validation is kept beside the newest ones: it is written when the validation is done.</summary>
    public bool KeepBest { get; init; }

    /// <summary>Validations in a row without a better one that end the run (early stopping); 0: none do.</summary>
    public int Patience { get; init; }

    /// <summary>What a loss that goes wrong leads to.</summary>
    public SpikeAction OnSpike { get; init; }
}
