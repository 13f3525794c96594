namespace QApollo.Devices;

/// <summary>A copy between memory spaces that runs beside the computation; see <see cref="IDevice.BeginTransfer"/>.</summary>
public readonly record struct Transfer(int Id);
