using QApollo.Data.Tokenizers.Text;

namespace QApollo.Data.Tokenizers.Patterns;

/// <summary>Reads a class in brackets: ranges, escapes, nested classes, [:names:], intersection by &amp;&amp;.</summary>
internal readonly struct PatternClassParser(PatternParser parser)
{
    /// <summary>From after '[' to after ']'. Cases are added once, to the whole, before a '^' of the outermost class.</summary>
    public CodePointSet ParseClass()
    {
        bool negative = parser.Take('^');
        CodePointSet set = parser.Fold(ParseMembers());
        return negative ? ~set : set;
    }

    private CodePointSet ParseNested()
    {
        bool negative = parser.Take('^');
        CodePointSet set = ParseMembers();
        return negative ? ~set : set;
    }

    private CodePointSet ParseMembers()
    {
        parser.Nest(1);
        CodePointSet? left = null;
        CodePointSet set = CodePointSet.Empty;
        bool first = true;
        for (; ; first = false)
        {
            int c = parser.Next();
            if (c == ']' && !first)
            {
                break;
            }

            if (c == '&' && parser.Look() == '&')
            {
                parser.Next();
                left = left is null ? set : left & set;
                set = CodePointSet.Empty;
            }
            else
            {
                set |= ParseItem(c);
            }
        }

        parser.Nest(-1);
        return left is null ? set : left & set;
    }

    private CodePointSet ParseItem(int c)
    {
        if (c == '[')
        {
            return parser.Look() == ':' && TryNamed() is CodePointSet named ? named : ParseNested();
        }

        CodePointSet low = c == '\\' ? ParseEscaped() : CodePointSet.Of(c);
        if (parser.Look() != '-' || parser.Look(1) is ']' or -1 || !IsSingle(low, out int first))
        {
            return low;
        }

        parser.Next();
        int next = parser.Next();
        CodePointSet high = next == '\\' ? ParseEscaped() : next == '[' ? ParseNested() : CodePointSet.Of(next);
        if (!IsSingle(high, out int last))
        {
            return low | CodePointSet.Of('-') | high;
        }

        return first <= last ? CodePointSet.Range(first, last) : throw parser.Error("a range that runs backward");
    }

    private CodePointSet ParseEscaped() => parser.Take('b') ? CodePointSet.Of('\b') : parser.ParseEscapedSet();

    /// <summary>[:name:] or [:^name:]; null, with nothing read, when it is an ordinary nested class.</summary>
    private CodePointSet? TryNamed()
    {
        int length = 1;
        while (parser.Look(length) is (>= 'a' and <= 'z') or '^')
        {
            length++;
        }

        if (parser.Look(length) != ':' || parser.Look(length + 1) != ']')
        {
            return null;
        }

        parser.Next();
        bool negative = parser.Take('^');
        string name = string.Empty;
        for (int c = parser.Next(); c != ':'; c = parser.Next())
        {
            name += (char)c;
        }

        parser.Next();
        CodePointSet set = UnicodeProperties.Find(name) ?? throw parser.Error($"the class [:{name}:] is not known");
        return negative ? ~set : set;
    }

    private static bool IsSingle(CodePointSet set, out int member)
    {
        (int First, int Last)[] ranges = [.. set.Ranges().Take(2)];
        member = ranges.Length == 1 ? ranges[0].First : -1;
        return ranges.Length == 1 && ranges[0].First == ranges[0].Last;
    }
}
