using System.Globalization;
using System.Text;
using QApollo.Data.Tokenizers.Text;

namespace QApollo.Data.Tokenizers.Patterns;

/// <summary>
/// Reads a regular expression in the dialect of tokenizer.json files (Oniguruma with its Ruby rules): ^ and $ are
/// lines, {n,m}+ repeats a repetition, classes nest and intersect. What it cannot do it names: it never guesses.
/// </summary>
internal sealed class PatternParser
{
    private const int MaxDepth = 64;
    private const int MaxRepeat = 1000;

    private readonly string _pattern;
    private readonly Rune[] _runes;
    private int _at;
    private int _depth;
    private bool _ignoreCase;
    private bool _dotMatchesLineEnd;

    private PatternParser(string pattern)
    {
        _pattern = pattern;
        _runes = [.. pattern.EnumerateRunes()];
    }

    /// <exception cref="UsageException">The pattern is malformed or uses what is not supported.</exception>
    public static PatternNode Parse(string pattern)
    {
        var parser = new PatternParser(pattern);
        PatternNode node = parser.ParseChoice();
        return parser.AtEnd ? node : throw parser.Error("unmatched ')'");
    }

    private bool AtEnd => _at == _runes.Length;

    private int Peek(int ahead = 0) => _at + ahead < _runes.Length ? _runes[_at + ahead].Value : -1;

    private PatternNode ParseChoice()
    {
        if (++_depth > MaxDepth)
        {
            throw Error($"groups nest deeper than {MaxDepth}");
        }

        var alternatives = new List<PatternNode> { ParseSequence() };
        while (Take('|'))
        {
            alternatives.Add(ParseSequence());
        }

        _depth--;
        return alternatives.Count == 1 ? alternatives[0] : new PatternNode.Choice(alternatives);
    }

    private PatternNode ParseSequence()
    {
        var items = new List<PatternNode>();
        while (!AtEnd && Peek() is not ('|' or ')'))
        {
            if (ParseAtom() is PatternNode atom)
            {
                items.Add(ParseQuantifiers(atom));
            }
        }

        return items.Count == 1 ? items[0] : new PatternNode.Sequence(items);
    }

    private PatternNode ParseQuantifiers(PatternNode atom)
    {
        while (TryQuantifier(out int min, out int max, out bool interval))
        {
            // As in Ruby: a '+' after {n,m} is a quantifier of its own.
            Greed greed = Take('?') ? Greed.Lazy : !interval && Take('+') ? Greed.Possessive : Greed.Greedy;
            atom = new PatternNode.Repeat(atom, min, max, greed);
        }

        return atom;
    }

    private bool TryQuantifier(out int min, out int max, out bool interval)
    {
        (min, max, interval) = (0, int.MaxValue, false);
        switch (Peek())
        {
            case '*':
                break;
            case '+':
                min = 1;
                break;
            case '?':
                max = 1;
                break;
            case '{':
                return interval = TryInterval(out min, out max);
            default:
                return false;
        }

        _at++;
        return true;
    }

    private bool TryInterval(out int min, out int max)
    {
        int start = _at++;
        int? low = TryNumber();
        int? high = low;
        if (Take(','))
        {
            high = TryNumber();
        }
        else if (low is null)
        {
            high = null;
        }

        (min, max) = (low ?? 0, high ?? int.MaxValue);
        if ((low is null && high is null) || !Take('}'))
        {
            _at = start;
            return false;
        }

        if (min > max)
        {
            throw Error($"{{{min},{max}}} counts down");
        }

        return min <= MaxRepeat && (high is null || max <= MaxRepeat) ? true : throw Error($"a count above {MaxRepeat}");
    }

    private int? TryNumber()
    {
        int? value = null;
        while (Peek() is >= '0' and <= '9')
        {
            value = Math.Min(((value ?? 0) * 10) + Peek() - '0', MaxRepeat + 1);
            _at++;
        }

        return value;
    }

    private PatternNode? ParseAtom()
    {
        int c = _runes[_at++].Value;
        switch (c)
        {
            case '(':
                return ParseGroup();
            case '[':
                return new PatternNode.One(new PatternClassParser(this).ParseClass());
            case '.':
                return new PatternNode.One(_dotMatchesLineEnd ? CodePointSet.All : ~CodePointSet.Of('\n'));
            case '^':
                return new PatternNode.Anchor(AnchorKind.LineStart);
            case '$':
                return new PatternNode.Anchor(AnchorKind.LineEnd);
            case '\\':
                return ParseEscape();
            case '*' or '+' or '?':
                throw Error($"'{(char)c}' repeats nothing");
            default:
                return One(CodePointSet.Of(c));
        }
    }

    private PatternNode.One One(CodePointSet set) => new(Fold(set));

    /// <summary>Under (?i), the set with the other cases of its members.</summary>
    internal CodePointSet Fold(CodePointSet set) => _ignoreCase ? CaseFolding.Close(set) : set;

    private PatternNode? ParseGroup()
    {
        (bool ignoreCase, bool dot) = (_ignoreCase, _dotMatchesLineEnd);
        PatternNode? node;
        if (!Take('?'))
        {
            node = ParseChoice();
        }
        else if (Take(':'))
        {
            node = ParseChoice();
        }
        else if (Take('>'))
        {
            node = new PatternNode.Atomic(ParseChoice());
        }
        else if (Take('='))
        {
            node = new PatternNode.LookAhead(ParseChoice(), Negative: false);
        }
        else if (Take('!'))
        {
            node = new PatternNode.LookAhead(ParseChoice(), Negative: true);
        }
        else if (Take('<'))
        {
            node = ParseAfterLess();
        }
        else if (Take('#'))
        {
            while (!AtEnd && Peek() != ')')
            {
                _at++;
            }

            node = null;
        }
        else
        {
            ParseFlags();
            if (Peek() == ')')
            {
                // The flags of (?i) hold to the end of the enclosing group, as if a group began here.
                _at++;
                node = ParseChoice();
                (_ignoreCase, _dotMatchesLineEnd) = (ignoreCase, dot);
                return node;
            }

            node = Take(':') ? ParseChoice() : throw Error("unknown group");
        }

        (_ignoreCase, _dotMatchesLineEnd) = (ignoreCase, dot);
        return Take(')') ? node : throw Error("missing ')'");
    }

    private PatternNode ParseAfterLess()
    {
        if (Peek() is '=' or '!')
        {
            bool negative = _runes[_at++].Value == '!';
            return ParseChoice() is PatternNode.One one
                ? new PatternNode.LookBehind(one.Set, negative)
                : throw Error("a look-behind of more than one character is not supported");
        }

        while (!AtEnd && Peek() != '>')
        {
            _at++;
        }

        return Take('>') ? ParseChoice() : throw Error("missing '>'");
    }

    private void ParseFlags()
    {
        bool on = true;
        while (Peek() is not (')' or ':'))
        {
            switch (Peek())
            {
                case '-':
                    on = false;
                    break;
                case 'i':
                    _ignoreCase = on;
                    break;
                case 'm':
                    _dotMatchesLineEnd = on;
                    break;
                default:
                    throw Error("a group or flag that is not supported");
            }

            _at++;
        }
    }

    private PatternNode ParseEscape()
    {
        switch (Peek())
        {
            case 'A':
                return Anchor(AnchorKind.TextStart);
            case 'z':
                return Anchor(AnchorKind.TextEnd);
            case 'Z':
                return Anchor(AnchorKind.TextEndOrLastLineEnd);
            case 'b':
                return Anchor(AnchorKind.WordBoundary);
            case 'B':
                return Anchor(AnchorKind.NotWordBoundary);
            case 'R':
                _at++;
                return new PatternNode.Atomic(new PatternNode.Choice(
                [
                    new PatternNode.Sequence([new PatternNode.One(CodePointSet.Of('\r')), new PatternNode.One(CodePointSet.Of('\n'))]),
                    new PatternNode.One(CodePointSet.Range(10, 13) | CodePointSet.Of(0x85, 0x2028, 0x2029)),
                ]));
            default:
                // Properties stay as they are: (?i)\p{Lu} is upper case only.
                return Peek() is 'p' or 'P' ? new PatternNode.One(ParseEscapedSet()) : One(ParseEscapedSet());
        }

        PatternNode Anchor(AnchorKind kind)
        {
            _at++;
            return new PatternNode.Anchor(kind);
        }
    }

    /// <summary>What follows a backslash, in a class or outside: a class of its own or one character.</summary>
    internal CodePointSet ParseEscapedSet()
    {
        if (AtEnd)
        {
            throw Error("a backslash at the end");
        }

        int c = _runes[_at++].Value;
        return c switch
        {
            'd' => UnicodeProperties.Digit,
            'D' => ~UnicodeProperties.Digit,
            's' => UnicodeProperties.Space,
            'S' => ~UnicodeProperties.Space,
            'w' => UnicodeProperties.Word,
            'W' => ~UnicodeProperties.Word,
            'h' => UnicodeProperties.HexDigit,
            'H' => ~UnicodeProperties.HexDigit,
            'p' => ParseProperty(negative: false),
            'P' => ParseProperty(negative: true),
            'n' => CodePointSet.Of('\n'),
            'r' => CodePointSet.Of('\r'),
            't' => CodePointSet.Of('\t'),
            'f' => CodePointSet.Of('\f'),
            'v' => CodePointSet.Of('\v'),
            'a' => CodePointSet.Of('\a'),
            'e' => CodePointSet.Of(0x1B),
            '0' => CodePointSet.Of(0),
            'x' => Peek() == '{' ? CodePointSet.Of(ParseBracedHexadecimal()) : CodePointSet.Of(ParseHexadecimal(1, 2)),
            'u' => CodePointSet.Of(ParseHexadecimal(4, 4)),
            (>= '1' and <= '9') or 'k' or 'g' => throw Error("back-references are not supported"),
            (>= 'a' and <= 'z') or (>= 'A' and <= 'Z') => throw Error($"\\{(char)c} is not supported"),
            _ => CodePointSet.Of(c),
        };
    }

    private CodePointSet ParseProperty(bool negative)
    {
        if (!Take('{'))
        {
            throw Error("\\p without {");
        }

        negative ^= Take('^');
        int start = _at;
        while (!AtEnd && Peek() != '}')
        {
            _at++;
        }

        string name = string.Concat(_runes[start.._at]);
        if (!Take('}') || UnicodeProperties.Find(name) is not CodePointSet set)
        {
            throw Error($"the property \\p{{{name}}} is not known");
        }

        return negative ? ~set : set;
    }

    private int ParseBracedHexadecimal()
    {
        _at++;
        int value = ParseHexadecimal(1, 8);
        return Take('}') ? value : throw Error("missing '}'");
    }

    private int ParseHexadecimal(int least, int most)
    {
        long value = 0;
        int digits = 0;
        while (digits < most && Peek() is int c and < 0x80 && c >= 0 && char.IsAsciiHexDigit((char)c))
        {
            value = (value * 16) + Convert.ToInt32(((char)c).ToString(), 16);
            _at++;
            digits++;
        }

        return digits >= least && value < Utf8Text.CodePoints ? (int)value : throw Error("a wrong character code");
    }

    internal bool Take(char c)
    {
        bool found = Peek() == c;
        _at += found ? 1 : 0;
        return found;
    }

    internal int Next() => AtEnd ? throw Error("missing ']'") : _runes[_at++].Value;

    internal int Look(int ahead = 0) => Peek(ahead);

    /// <summary>Enters or leaves a nested class, bounded as groups are.</summary>
    internal void Nest(int change)
    {
        _depth += change;
        if (_depth > MaxDepth)
        {
            throw Error($"classes nest deeper than {MaxDepth}");
        }
    }

    internal UsageException Error(string what)
    {
        string shown = _pattern.Length <= 80 ? _pattern : _pattern[..80] + "...";
        return new UsageException(string.Create(
            CultureInfo.InvariantCulture, $"pattern {shown.ReplaceLineEndings("\\n")}, character {_at}: {what}"));
    }
}
