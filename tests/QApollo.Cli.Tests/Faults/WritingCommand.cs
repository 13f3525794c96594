namespace QApollo.Cli.Tests.Faults;

/// <summary>A command that writes, and what a fault of the files may not do to it.</summary>
/// <param name="Name">For people.</param>
/// <param name="Arguments">All that it writes goes to the work folder.</param>
/// <param name="Again">After a failure; as they were, if null.</param>
/// <param name="Next">What follows a success: a longer run, or the same files written over.</param>
/// <param name="Begun">A folder that the work folder is a copy of at first; null for an empty one.</param>
internal sealed record WritingCommand(string Name, string[] Arguments, Func<string[]>? Again, string[] Next, string? Begun);
