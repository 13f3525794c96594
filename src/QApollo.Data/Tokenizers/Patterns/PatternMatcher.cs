using System.Diagnostics.CodeAnalysis;
using QApollo.Data.Tokenizers.Text;

namespace QApollo.Data.Tokenizers.Patterns;

/// <summary>
/// Runs a <see cref="PatternProgram"/> on UTF-8 by backtracking. Runs of one set cost one entry whatever their
/// length. Both the entries and the steps per byte of text are bounded, so that no pattern can hang or exhaust memory.
/// </summary>
internal sealed class PatternMatcher(PatternProgram program) : ITextMatcher
{
    private const int MaxEntries = 1 << 24;

    /// <summary>Where to go on when a path fails. A negative Code restores slot ~Code to Position.</summary>
    private record struct Entry(int Code, int Position, int Low);

    /// <summary>What one thread needs to match.</summary>
    internal sealed class Scratch
    {
        private const int Kept = 1 << 14;
        private const long StepsPerByte = 1_000;

        private Entry[] _entries = new Entry[64];

        public int Count { get; private set; }

        public int[] Slots { get; set; } = [];

        /// <summary>For all patterns and all parts of a text together.</summary>
        public long StepsLeft { get; set; }

        public void Begin(int textBytes) => StepsLeft = (textBytes + 1_000L) * StepsPerByte;

        public void Push(int code, int position, int low = 0)
        {
            if (Count == _entries.Length)
            {
                if (Count >= MaxEntries)
                {
                    throw new UsageException("the tokenizer's pattern needs too much backtracking for this text");
                }

                Array.Resize(ref _entries, Count * 2);
            }

            _entries[Count++] = new Entry(code, position, low);
        }

        public (int Code, int Position, int Low) Pop()
        {
            Entry entry = _entries[--Count];
            return (entry.Code, entry.Position, entry.Low);
        }

        public void Truncate(int count) => Count = count;

        /// <summary>Forgets an unusually large array.</summary>
        public void Trim()
        {
            if (_entries.Length > Kept)
            {
                (_entries, Count) = (new Entry[64], 0);
            }
        }
    }

    private readonly PatternInstruction[] _code = program.Code;

    public bool TryMatch(ReadOnlySpan<byte> text, int from, EncodeState state, out int start, out int end)
    {
        Scratch scratch = state.PatternScratch;
        if (scratch.Slots.Length < program.Slots)
        {
            scratch.Slots = new int[program.Slots];
        }

        bool[]? first = program.First;
        for (start = from; start <= text.Length;)
        {
            if (first is null || (start < text.Length && first[text[start]]))
            {
                scratch.Truncate(0);
                if (Run(text, 0, start, scratch, out end))
                {
                    return true;
                }
            }

            if (start == text.Length)
            {
                break;
            }

            Utf8Text.Decode(text, start, out int length);
            start += length;
        }

        end = start;
        return false;
    }

    private bool Run(ReadOnlySpan<byte> text, int pc, int position, Scratch scratch, out int end)
    {
        int floor = scratch.Count;
        while (true)
        {
            if (--scratch.StepsLeft < 0)
            {
                ThrowTooSlow();
            }

            ref readonly PatternInstruction step = ref _code[pc];
            bool ok = true;
            switch (step.Op)
            {
                case PatternOp.One:
                    ok = position < text.Length && step.Set!.Contains(Utf8Text.Decode(text, position, out int length)) && Moved(ref position, length);
                    break;
                case PatternOp.GreedyRun:
                case PatternOp.PossessiveRun:
                    ok = RunGreedy(text, pc, ref position, scratch);
                    break;
                case PatternOp.LazyRun:
                    ok = RunSet(text, step.Set!, step.Min, ref position, scratch) == step.Min;
                    if (ok && step.Max > step.Min)
                    {
                        scratch.Push(pc, position, step.Max - step.Min);
                    }

                    break;
                case PatternOp.Try:
                    if (step.First is bool[] first && (position == text.Length || !first[text[position]]))
                    {
                        pc = step.Target;
                        continue;
                    }

                    scratch.Push(pc, position);
                    break;
                case PatternOp.Jump:
                    pc = step.Target;
                    continue;
                case PatternOp.Mark:
                    scratch.Push(~step.Min, scratch.Slots[step.Min]);
                    scratch.Slots[step.Min] = position;
                    break;
                case PatternOp.Progress:
                    ok = scratch.Slots[step.Min] != position;
                    break;
                case PatternOp.Ahead:
                case PatternOp.NotAhead:
                case PatternOp.Atomic:
                    ok = RunSub(text, pc, ref position, scratch);
                    if (ok)
                    {
                        pc = step.Target;
                        continue;
                    }

                    break;
                case PatternOp.Behind:
                case PatternOp.NotBehind:
                    bool inside = position > 0 && step.Set!.Contains(Utf8Text.DecodeBefore(text, position, out _));
                    ok = inside == (step.Op == PatternOp.Behind);
                    break;
                case PatternOp.Anchor:
                    ok = Holds((AnchorKind)step.Min, text, position);
                    break;
                case PatternOp.Accept:
                    scratch.Truncate(floor);
                    end = position;
                    return true;
            }

            if (ok)
            {
                pc++;
            }
            else if (!Resume(text, floor, scratch, ref pc, ref position))
            {
                end = position;
                return false;
            }
        }
    }

    /// <summary>Takes up the latest untried path; false when none is left above <paramref name="floor"/>.</summary>
    private bool Resume(ReadOnlySpan<byte> text, int floor, Scratch scratch, ref int pc, ref int position)
    {
        while (scratch.Count > floor)
        {
            (int code, int at, int low) = scratch.Pop();
            if (code < 0)
            {
                scratch.Slots[~code] = at;
                continue;
            }

            ref readonly PatternInstruction step = ref _code[code];
            switch (step.Op)
            {
                case PatternOp.GreedyRun:
                    Utf8Text.DecodeBefore(text, at, out int back);
                    position = at - back;
                    if (position > low)
                    {
                        scratch.Push(code, position, low);
                    }

                    pc = code + 1;
                    return true;
                case PatternOp.LazyRun:
                    if (at == text.Length || !step.Set!.Contains(Utf8Text.Decode(text, at, out int forward)))
                    {
                        continue;
                    }

                    position = at + forward;
                    if (low > 1)
                    {
                        scratch.Push(code, position, low == int.MaxValue ? low : low - 1);
                    }

                    pc = code + 1;
                    return true;
                default:
                    pc = step.Target;
                    position = at;
                    return true;
            }
        }

        return false;
    }

    private bool RunGreedy(ReadOnlySpan<byte> text, int pc, ref int position, Scratch scratch)
    {
        ref readonly PatternInstruction step = ref _code[pc];
        int low = position;
        if (step.Min > 0 && RunSet(text, step.Set!, step.Min, ref low, scratch) < step.Min)
        {
            return false;
        }

        position = low;
        RunSet(text, step.Set!, step.Max - step.Min, ref position, scratch);
        if (step.Op == PatternOp.GreedyRun && position > low)
        {
            scratch.Push(pc, position, low);
        }

        return true;
    }

    /// <summary>Looks ahead or matches a group that is not tried again, on its own entries.</summary>
    private bool RunSub(ReadOnlySpan<byte> text, int pc, ref int position, Scratch scratch)
    {
        PatternOp op = _code[pc].Op;
        bool matched = Run(text, pc + 1, position, scratch, out int end);
        if (op == PatternOp.Atomic && matched)
        {
            position = end;
        }

        return matched != (op == PatternOp.NotAhead);
    }

    private static int RunSet(ReadOnlySpan<byte> text, CodePointSet set, int max, ref int position, Scratch scratch)
    {
        int at = position;
        int count = 0;
        for (; count < max && at < text.Length; count++)
        {
            if (!set.Contains(Utf8Text.Decode(text, at, out int length)))
            {
                break;
            }

            at += length;
        }

        position = at;
        scratch.StepsLeft -= count;
        return count;
    }

    private static bool Holds(AnchorKind kind, ReadOnlySpan<byte> text, int position) => kind switch
    {
        AnchorKind.TextStart => position == 0,
        AnchorKind.TextEnd => position == text.Length,
        AnchorKind.LineStart => position == 0 || (text[position - 1] == '\n' && position < text.Length),
        AnchorKind.LineEnd => position == text.Length || text[position] == '\n',
        AnchorKind.TextEndOrLastLineEnd => position == text.Length || (position == text.Length - 1 && text[position] == '\n'),
        AnchorKind.WordBoundary => IsWordBoundary(text, position),
        _ => !IsWordBoundary(text, position),
    };

    private static bool IsWordBoundary(ReadOnlySpan<byte> text, int position)
    {
        bool before = position > 0 && UnicodeProperties.IsPatternWord(Utf8Text.DecodeBefore(text, position, out _));
        bool after = position < text.Length && UnicodeProperties.IsPatternWord(Utf8Text.Decode(text, position, out _));
        return before != after;
    }

    private static bool Moved(ref int position, int length)
    {
        position += length;
        return true;
    }

    [DoesNotReturn]
    private static void ThrowTooSlow() => throw new UsageException(
        "the tokenizer's pattern takes too long on this text: it backtracks again and again over the same part");
}
