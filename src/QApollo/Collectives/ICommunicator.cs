using QApollo.Devices;

namespace QApollo.Collectives;

/// <summary>
/// The ranks of a data-parallel run, and what they do together. Every rank calls the same methods in the same order with
/// buffers of the same lengths; each call returns when this rank's part is done. No two
/// calls at once, but for <see cref="Abort"/>.
/// </summary>
/// <remarks>A rank that is gone ends every call of the others with a <see cref="RunFailedException"/>.</remarks>
public interface ICommunicator : IDisposable
{
    /// <summary>This process: 0 .. <see cref="Size"/> - 1.</summary>
    int Rank { get; }

    /// <summary>Processes of the run, 1 or more.</summary>
    int Size { get; }

    /// <summary>What carries the bytes, for people.</summary>
    string Description { get; }

    /// <summary>Whether any thread may call, not only the one that joined.</summary>
    bool ServesAnyThread => true;

    /// <summary>Piece j of the source goes to rank j; piece i of the destination is from rank i.</summary>
    /// <param name="source"><see cref="Size"/> pieces of equal length.</param>
    /// <param name="destination">As many bytes; may not overlap the source.</param>
    void AllToAll(ReadOnlySpan<byte> source, Span<byte> destination);

    /// <summary>Every rank gets what all ranks have, in the order of the ranks.</summary>
    /// <param name="source">One piece.</param>
    /// <param name="destination"><see cref="Size"/> pieces; may not overlap the source.</param>
    void AllGather(ReadOnlySpan<byte> source, Span<byte> destination);

    /// <summary>Every rank gets what the root has.</summary>
    void Broadcast(Span<byte> bytes, int root);

    /// <summary>Returns when all ranks have called it.</summary>
    void Barrier();

    /// <summary>
    /// Begins to sum a tensor over the ranks where it lies, after all operations of the device so far and beside later ones, which may
    /// not touch it until <see cref="EndSum"/>; all ranks get the same bytes.
    /// </summary>
    /// <returns>False where only host memory is reached: <see cref="GradientSum"/> then carries the tensor there and back.</returns>
    bool TryBeginSum(IDevice device, Tensor tensor) => false;

    /// <summary>Orders later operations of the device after the sum that was begun first. The host does not wait.</summary>
    void EndSum(IDevice device)
    {
    }

    /// <summary>This rank cannot go on: the others end within seconds.</summary>
    void Abort(int exitCode);
}
