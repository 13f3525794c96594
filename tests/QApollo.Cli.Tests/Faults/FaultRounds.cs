using QApollo.Checkpoints;
using QApollo.Cli.Tests.Attacks;

namespace QApollo.Cli.Tests.Faults;

/// <summary>
/// Rounds of a command with a fault at a random call on a file, and without: it ends in one line and leaves only whole files; called again it
/// arrives where it arrives without a fault, and no file is left that it does not have then.
/// </summary>
internal sealed class FaultRounds(FaultLayer layer, WritingCommands commands, int seed)
{
    private static readonly FaultKind[] Kinds = [FaultKind.Full, FaultKind.Denied, FaultKind.Torn, FaultKind.Broken, FaultKind.Slow];

    /// <summary>Of a run that goes on it has other options than of one in a piece.</summary>
    private static readonly string Options = Path.Combine("run", "run.json");

    private static readonly string Sources = Path.Combine("cache", "sources.json");

    /// <summary>No command fails for want of them: a list that saves reading sources again, and the page of a run, whose lack a line tells.</summary>
    private static readonly string[] Dispensable = [Sources, Path.Combine("run", "report.html")];

    private readonly Random _random = new(seed);
    private readonly Dictionary<FaultKind, (int Rounds, long Faults, int Failed)> _counts = [];

    /// <summary>What went wrong, a line each.</summary>
    public List<string> Findings { get; } = [];

    /// <summary>Rounds in which a fault was met.</summary>
    public int Met { get; private set; }

    /// <summary>For people.</summary>
    public string Summary => $"{Met} rounds with faults: " + string.Join("; ", _counts.OrderBy(count => count.Key).Select(count =>
        $"{count.Key}: {count.Value.Rounds} rounds, {count.Value.Faults} calls met, {count.Value.Failed} commands failed")) + $"; {Findings.Count} findings";

    /// <param name="rounds">With faults, over all commands in turn.</param>
    public void Run(int rounds)
    {
        Subject[] subjects = [.. commands.All().Select(command => new Subject(command, Reference(command)))];
        for (int round = 0; Met < rounds; round++)
        {
            Round(subjects[round % subjects.Length], Kinds[_random.Next(Kinds.Length)]);
        }
    }

    /// <summary>What a command leaves without a fault, and how many calls of each kind it makes; files of another content each time have null.</summary>
    private Reference Reference(WritingCommand command)
    {
        Dictionary<string, string> first = Clean();
        Dictionary<string, string> second = Clean();
        Dictionary<string, string?> files = first.ToDictionary(file => file.Key, file => second.GetValueOrDefault(file.Key) == file.Value ? file.Value : null);
        var calls = new Dictionary<FaultKind, long>();
        foreach (FaultKind kind in Kinds)
        {
            Prepare(command);
            layer.Arm(commands.Work, kind, long.MaxValue, lasts: false);
            InProcess.Run(command.Arguments);
            calls[kind] = layer.Disarm().Calls;
        }

        return new Reference(files, calls);

        Dictionary<string, string> Clean()
        {
            Prepare(command);
            CallResult result = InProcess.Run(command.Arguments);
            return result.ExitCode == 0
                ? FolderContent.Of(commands.Work)
                : throw new InvalidOperationException($"{command.Name}: fails without a fault: {result.Error}");
        }
    }

    private void Prepare(WritingCommand command)
    {
        FolderContent.Delete(commands.Work);
        if (command.Begun is { } begun)
        {
            FolderContent.Copy(begun, commands.Work);
        }
        else
        {
            Directory.CreateDirectory(commands.Work);
        }
    }

    private void Round(Subject subject, FaultKind kind)
    {
        (WritingCommand command, Reference reference) = subject;
        Prepare(command);
        Dictionary<string, string> before = FolderContent.Of(commands.Work);
        long first = _random.NextInt64(1, Math.Max(2, reference.Calls[kind] + 1));
        bool lasts = kind == FaultKind.Slow || _random.Next(2) == 0;
        layer.Arm(commands.Work, kind, first, lasts);
        CallResult result = InProcess.Run(command.Arguments);
        FaultCount count = layer.Disarm();
        if (count.Faults == 0)
        {
            return;
        }

        Met++;
        (int rounds, long faults, int failed) = _counts.GetValueOrDefault(kind);
        _counts[kind] = (rounds + 1, faults + count.Faults, failed + (result.ExitCode == 0 ? 0 : 1));
        string where = $"{command.Name}: {kind} at call {first} ({count.Call}{(lasts ? ", and on" : string.Empty)}): ";
        Judge(command, reference, result, before, where, count.Call);
        if (kind == FaultKind.Slow && result.ExitCode != 0)
        {
            Findings.Add($"{where}fails though all calls succeed: {result.Error}");
        }
    }

    private void Judge(WritingCommand command, Reference reference, CallResult result, Dictionary<string, string> before, string where, string call)
    {
        if (Verdict.Of(command.Arguments[0], result) is { } fault)
        {
            Findings.Add($"{where}{fault}: {result.Output}{result.Error}");
        }

        Require(reference, before, where + "left ", isComplete: result.ExitCode == 0, isAfterFault: true);
        string[] again = result.ExitCode == 0 ? command.Next : command.Again?.Invoke() ?? command.Arguments;
        CallResult second = InProcess.Run(again);
        if (second.ExitCode != 0)
        {
            Findings.Add($"{where}exit code {result.ExitCode} ({result.Error.Trim()}), and after it {string.Join(' ', again)} fails: {second.Error.Trim()}");
            return;
        }

        if (result.ExitCode != 0)
        {
            Require(reference, before, where + "called again, left ", isComplete: true, isAfterFault: false);
        }

        // A lock that could not be removed keeps nobody out: who needs the folder takes it over.
        string[] leftover = [.. FolderContent.Of(commands.Work).Keys.Where(path => FolderContent.IsTemporary(path) && !(call == "unlink" && Path.GetFileName(path) is ("lock" or "lock.json")))];
        if (leftover.Length > 0)
        {
            Findings.Add($"{where}left {string.Join(' ', leftover)}, also after the next call");
        }
    }

    /// <summary>Files that have their names are whole: as they were before, as they are without a fault, or checkpoints that are right by their record.</summary>
    /// <param name="isComplete">All of them are there,</param>
    /// <param name="isAfterFault">but those that a command goes without.</param>
    private void Require(Reference reference, Dictionary<string, string> before, string where, bool isComplete, bool isAfterFault)
    {
        Dictionary<string, string> files = FolderContent.Of(commands.Work);
        foreach ((string path, string hash) in files.Where(file => !FolderContent.IsTemporary(file.Key) && !FolderContent.Grows(file.Key)))
        {
            bool isInCheckpoint = path.Contains($"{Path.DirectorySeparatorChar}step-", StringComparison.Ordinal);
            // What is noted of sources depends on how long ago they were written: a hash is kept when a file has been at rest.
            string? expected = path == Options || path == Sources ? null : reference.Files.GetValueOrDefault(path);
            bool isRight = expected is null
                ? isInCheckpoint || FolderContent.IsWhole(Path.Combine(commands.Work, path))
                : hash == expected || (!isComplete && hash == before.GetValueOrDefault(path));
            if (!isRight)
            {
                Findings.Add($"{where}{path}, which is not whole");
            }
        }

        foreach ((_, string checkpoint) in CheckpointFolder.List(Path.Combine(commands.Work, "run")))
        {
            try
            {
                CheckpointFolder.Verify(checkpoint);
            }
            catch (Exception exception) when (exception is InvalidFileException or RunFailedException)
            {
                Findings.Add($"{where}a checkpoint that is none: {exception.Message}");
            }
        }

        string[] missing = [.. reference.Files.Keys.Where(path => isComplete && !(isAfterFault && Dispensable.Contains(path)) && !FolderContent.Grows(path) && !files.ContainsKey(path))];
        if (missing.Length > 0)
        {
            Findings.Add($"{where}no {string.Join(' ', missing)}");
        }
    }

    private sealed record Subject(WritingCommand Command, Reference Reference);
}

/// <summary>A command without a fault.</summary>
/// <param name="Files">What it leaves: a hash of each; null where the content is another each time.</param>
/// <param name="Calls">On files, by the kind of fault that they can meet.</param>
internal sealed record Reference(IReadOnlyDictionary<string, string?> Files, IReadOnlyDictionary<FaultKind, long> Calls);
