namespace QApollo.Devices;

/// <summary>
/// Tells how long operations run on a device. A device that has one marks moments between its operations without waiting
/// for them, so that short operations are timed as they run in a step.
/// </summary>
public interface IOperationClock
{
    /// <summary>Marks the moment when all operations so far are done.</summary>
    /// <returns>The mark's number, valid until <see cref="ClearMarks"/>.</returns>
    int Mark();

    /// <summary>Seconds from one mark to a later one. Wait for the device first.</summary>
    double Seconds(int first, int second);

    void ClearMarks();
}
