using QApollo.Data.Tokenizers.Text;

namespace QApollo.Data.Tokenizers.Patterns;

internal enum PatternOp
{
    /// <summary>One code point of Set.</summary>
    One,

    /// <summary>Min to Max code points of Set.</summary>
    GreedyRun,
    LazyRun,
    PossessiveRun,

    /// <summary>Tries what follows; Target if that fails. With First, Target at once when the next byte is not in it.</summary>
    Try,

    Jump,

    /// <summary>Remembers the position in slot Min, for <see cref="Progress"/>.</summary>
    Mark,

    /// <summary>Fails unless the position has moved since <see cref="Mark"/> of slot Min.</summary>
    Progress,

    /// <summary>Runs what follows up to <see cref="Accept"/> on its own, then goes on at Target.</summary>
    Ahead,
    NotAhead,
    Atomic,

    Behind,
    NotBehind,
    Anchor,
    Accept,
}

internal readonly record struct PatternInstruction(
    PatternOp Op, int Target = 0, CodePointSet? Set = null, int Min = 0, int Max = 0, bool[]? First = null);

/// <summary>A pattern as instructions for <see cref="PatternMatcher"/>.</summary>
internal sealed class PatternProgram
{
    private const int MaxInstructions = 20_000;

    private readonly List<PatternInstruction> _code = [];
    private readonly string _pattern;

    /// <exception cref="UsageException">The pattern is malformed, not supported or too large.</exception>
    public PatternProgram(string pattern)
    {
        _pattern = pattern;
        PatternNode root = PatternParser.Parse(pattern);
        First = root.FirstBytes();
        Emit(root);
        Add(new PatternInstruction(PatternOp.Accept));
        Code = [.. _code];
    }

    public PatternInstruction[] Code { get; }

    public int Slots { get; private set; }

    /// <summary>The bytes that a match can begin with; null when it can be empty.</summary>
    public bool[]? First { get; }

    public string Pattern => _pattern;

    private int Add(PatternInstruction instruction)
    {
        if (_code.Count == MaxInstructions)
        {
            throw new UsageException($"a pattern unfolds to more than {MaxInstructions} steps: its counts multiply");
        }

        _code.Add(instruction);
        return _code.Count - 1;
    }

    /// <summary>Makes the instruction at <paramref name="index"/> point to the next one to be added.</summary>
    private void Land(int index) => _code[index] = _code[index] with { Target = _code.Count };

    private void Emit(PatternNode node)
    {
        switch (node)
        {
            case PatternNode.One one:
                Add(new PatternInstruction(PatternOp.One, Set: one.Set));
                break;
            case PatternNode.Sequence sequence:
                foreach (PatternNode item in sequence.Items)
                {
                    Emit(item);
                }

                break;
            case PatternNode.Choice choice:
                EmitChoice(choice);
                break;
            case PatternNode.Repeat { Body: PatternNode.One one } run:
                PatternOp op = run.Greed switch
                {
                    Greed.Greedy => PatternOp.GreedyRun,
                    Greed.Lazy => PatternOp.LazyRun,
                    _ => PatternOp.PossessiveRun,
                };
                Add(new PatternInstruction(op, Set: one.Set, Min: run.Min, Max: run.Max));
                break;
            case PatternNode.Repeat { Greed: Greed.Possessive } possessive:
                EmitSub(PatternOp.Atomic, possessive with { Greed = Greed.Greedy });
                break;
            case PatternNode.Repeat repeat:
                EmitRepeat(repeat);
                break;
            case PatternNode.LookAhead look:
                EmitSub(look.Negative ? PatternOp.NotAhead : PatternOp.Ahead, look.Body);
                break;
            case PatternNode.Atomic atomic:
                EmitSub(PatternOp.Atomic, atomic.Body);
                break;
            case PatternNode.LookBehind behind:
                Add(new PatternInstruction(behind.Negative ? PatternOp.NotBehind : PatternOp.Behind, Set: behind.Set));
                break;
            case PatternNode.Anchor anchor:
                Add(new PatternInstruction(PatternOp.Anchor, Min: (int)anchor.Kind));
                break;
        }
    }

    private void EmitSub(PatternOp op, PatternNode body)
    {
        int start = Add(new PatternInstruction(op));
        Emit(body);
        Add(new PatternInstruction(PatternOp.Accept));
        Land(start);
    }

    private void EmitChoice(PatternNode.Choice choice)
    {
        var ends = new List<int>();
        for (int i = 0; i < choice.Items.Count; i++)
        {
            bool last = i == choice.Items.Count - 1;
            int attempt = last ? -1 : Add(new PatternInstruction(PatternOp.Try, First: choice.Items[i].FirstBytes()));
            Emit(choice.Items[i]);
            if (!last)
            {
                ends.Add(Add(new PatternInstruction(PatternOp.Jump)));
                Land(attempt);
            }
        }

        ends.ForEach(Land);
    }

    private void EmitRepeat(PatternNode.Repeat repeat)
    {
        for (int i = 0; i < repeat.Min; i++)
        {
            Emit(repeat.Body);
        }

        if (repeat.Max == int.MaxValue)
        {
            EmitLoop(repeat.Body, repeat.Greed == Greed.Lazy);
            return;
        }

        var exits = new List<int>();
        for (int i = repeat.Min; i < repeat.Max; i++)
        {
            exits.Add(EmitAttempt(repeat.Body, repeat.Greed == Greed.Lazy));
            Emit(repeat.Body);
        }

        exits.ForEach(Land);
    }

    private void EmitLoop(PatternNode body, bool lazy)
    {
        int head = _code.Count;
        int exit = EmitAttempt(body, lazy);
        int slot = body.CanBeEmpty ? Slots++ : -1;
        if (slot >= 0)
        {
            Add(new PatternInstruction(PatternOp.Mark, Min: slot));
        }

        Emit(body);
        if (slot >= 0)
        {
            Add(new PatternInstruction(PatternOp.Progress, Min: slot));
        }

        Add(new PatternInstruction(PatternOp.Jump, Target: head));
        Land(exit);
    }

    /// <summary>Emits the choice between a body and what follows it; the result is to land after the body.</summary>
    private int EmitAttempt(PatternNode body, bool lazy)
    {
        if (!lazy)
        {
            return Add(new PatternInstruction(PatternOp.Try, First: body.FirstBytes()));
        }

        int skip = Add(new PatternInstruction(PatternOp.Try));
        int exit = Add(new PatternInstruction(PatternOp.Jump));
        Land(skip);
        return exit;
    }
}
