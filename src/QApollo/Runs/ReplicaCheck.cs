using QApollo.Checkpoints;
using QApollo.Collectives;
using QApollo.Memory;
using QApollo.Training;

namespace QApollo.Runs;

/// <summary>
/// Compares all weights and optimizer states over the ranks. They start equal, see equal gradients and round alike, so that a
/// difference is a fault of memory, of a device, or of the program; before the first step, of what they read.
/// </summary>
public static class ReplicaCheck
{
    /// <summary>Returns where all ranks hold the same bytes, and throws on all of them where they do not.</summary>
    /// <exception cref="RunFailedException">They differ; the message names the first tensor that does, and the ranks.</exception>
    public static void Require(Trainer trainer)
    {
        if (FindDifference(trainer) is { } difference)
        {
            throw new RunFailedException($"{difference}; the memory or the device of one of them is at fault, and earlier checkpoints stand") { OnAllRanks = true };
        }
    }

    /// <summary>As <see cref="Require"/>, where nothing has been computed yet.</summary>
    /// <exception cref="UsageException">They differ; the message names the first tensor that does, and the ranks.</exception>
    public static void RequireSameBeginning(Trainer trainer)
    {
        if (FindDifference(trainer) is { } difference)
        {
            throw new UsageException($"{difference}; they read other weights, of --model or of the newest checkpoint in --output-dir: all must see the same files")
            { OnAllRanks = true };
        }
    }

    private static string? FindDifference(Trainer trainer)
    {
        ICommunicator ranks = trainer.Ranks;
        if (ranks.Size == 1)
        {
            return null;
        }

        PlannedTensor[] tensors = [.. Checkpoint.StateTensors(trainer.Layout)];
        byte[] own = [.. tensors.SelectMany(tensor => TensorFile.Hash(trainer.Device, trainer.Layout.Weights.Store, tensor))];
        var all = new byte[own.Length * ranks.Size];
        ranks.AllGather(own, all);
        int length = own.Length / tensors.Length;
        for (int i = 0; i < tensors.Length; i++)
        {
            ReadOnlySpan<byte> Of(int rank) => all.AsSpan((rank * own.Length) + (i * length), length);
            int[] others = [.. Enumerable.Range(1, ranks.Size - 1).Where(rank => !Of(rank).SequenceEqual(Of(0)))];
            if (others.Length > 0)
            {
                return $"step {trainer.CompletedSteps}: {tensors[i].Name} is not the same on all ranks: rank 0 differs from {string.Join(", ", others)}";
            }
        }

        return null;
    }
}
