namespace QApollo.Parallel;

/// <summary>A rank was asked to stop, and all do: each throws this.</summary>
public sealed class StoppedTogetherException(string message) : OperationCanceledException(message);
