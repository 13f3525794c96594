namespace QApollo.Devices;

/// <summary>
/// What <see cref="IDevice.ApplyUpdate"/> adds to an I64 tensor [1, <see cref="UpdateCounts.Length"/>], one column each.
/// Integers, so that sums do not depend on the order in which threads arrive. Of a dense weight only <see cref="Changed"/>.
/// </summary>
public enum UpdateCount
{
    /// <summary>Stored values (code or residual, or dense element) that changed; all of a regridded group.</summary>
    Changed = 0,

    /// <summary>Codes that are another byte than before.</summary>
    Codes = 1,

    /// <summary>Values that the update would move, were nothing rounded; those of groups that stay for not being finite aside.</summary>
    Moved = 2,

    /// <summary>Values that it would move and whose stored form stayed, on a grid that stayed.</summary>
    Lost = 3,

    /// <summary>Groups that got a new grid.</summary>
    Regridded = 4,

    /// <summary>Sum of squares of (stored - exact) new values in codes of their grid, times 2^24.</summary>
    NoiseSquares = 5,

    /// <summary>Sum of squares of exact changes of values in codes of the grid that the group had, times 2^24.</summary>
    MoveSquares = 6,

    /// <summary>Updates whose norm the limiter bound; added by <see cref="IDevice.ApolloScale"/>.</summary>
    Limited = 7,
}

public static class UpdateCounts
{
    /// <summary>Columns of the tensor.</summary>
    public const int Length = 8;

    /// <summary>What sums of squares are multiplied with before they become integers.</summary>
    public const float SquareUnit = 1 << 24;

    /// <summary>A part of a sum of squares (a block's, a task's) counts at most as this, so that no total leaves 64 bits.</summary>
    public const float LargestSum = 1 << 25;
}
