using System.Text;
using System.Text.Json;
using QApollo.Data.Tokenizers.Patterns;
using QApollo.Data.Tokenizers.Pipeline;
using QApollo.Data.Tokenizers.Text;

namespace QApollo.Data.Tokenizers.HuggingFace;

/// <summary>Reads the "pre_tokenizer" of a tokenizer.json and puts its stages before the model.</summary>
internal sealed class PreTokenizerReader
{
    private readonly IReadOnlyList<JsonElement> _parts;
    private int _buffer = HuggingFaceTokenizer.FirstStageBuffer;

    public PreTokenizerReader(JsonElement? preTokenizer)
    {
        _parts = preTokenizer is JsonElement json ? [.. JsonFields.Flatten(json, "pretokenizers")] : [];
        int byteLevels = _parts.Count(part => part.TypeName() == "ByteLevel");
        IsByteLevel = byteLevels > 0;
        if (byteLevels > 1 || (IsByteLevel && _parts.Any(part => part.TypeName() == "Metaspace")))
        {
            throw new UsageException("a pre_tokenizer with ByteLevel and a second ByteLevel or Metaspace is not supported");
        }
    }

    /// <summary>Whether the model sees bytes.</summary>
    public bool IsByteLevel { get; }

    /// <summary>The Metaspace part, if there is one.</summary>
    public JsonElement? Metaspace => _parts.Where(part => part.TypeName() == "Metaspace").Select(part => (JsonElement?)part).FirstOrDefault();

    /// <summary>The stages, last to first, so that each knows the next.</summary>
    public PieceStage Build(PieceStage model)
    {
        PieceStage next = model;
        for (int i = _parts.Count - 1; i >= 0; i--)
        {
            bool last = i == _parts.Count - 1;
            if (_parts[i].TypeName() == "ByteLevel")
            {
                next = ByteLevel(_parts[i], last ? next : new MapBytesStage(_buffer++, next));
            }
            else
            {
                // What follows ByteLevel sees characters for bytes; the model gets the bytes back.
                bool unmap = last && IsByteLevel;
                next = Stage(_parts[i], unmap ? new UnmapBytesStage(_buffer++, next) : next);
            }
        }

        return next;
    }

    private PieceStage ByteLevel(JsonElement json, PieceStage next)
    {
        if (json.Flag("use_regex", true))
        {
            next = new SplitStage(new Gpt2Matcher(), SplitBehavior.Isolated, invert: false, next);
        }

        return json.Flag("add_prefix_space", true) ? new PrefixSpaceStage(_buffer++, next) : next;
    }

    private PieceStage Stage(JsonElement json, PieceStage next)
    {
        switch (json.TypeName())
        {
            case "Split":
                return new SplitStage(PatternReader.Read(json), Behavior(json), json.Flag("invert"), next);
            case "Metaspace":
                return ReadMetaspace(json, next);
            case "Digits":
                SplitBehavior digits = json.Flag("individual_digits") ? SplitBehavior.Isolated : SplitBehavior.Contiguous;
                return Split(Class(CharacterClass.Number), digits, next);
            case "Punctuation":
                return Split(Class(CharacterClass.Punctuation), Behavior(json), next);
            case "WhitespaceSplit":
                return Split(Class(CharacterClass.Space), SplitBehavior.Removed, next);
            case "Whitespace":
                return new SplitStage(new WordMatcher(), SplitBehavior.Removed, invert: true, next);
            case "BertPreTokenizer":
                next = Split(Class(CharacterClass.Punctuation), SplitBehavior.Isolated, next);
                return Split(Class(CharacterClass.Space), SplitBehavior.Removed, next);
            case "CharDelimiterSplit":
                Rune[] delimiter = [.. json.TextField("delimiter").EnumerateRunes()];
                return delimiter.Length == 1
                    ? Split(CodePointSet.Of(delimiter[0].Value), SplitBehavior.Removed, next)
                    : throw new UsageException("\"delimiter\" must be one character");
            default:
                throw new UsageException(
                    $"the pre_tokenizer {JsonFields.Show(json.TypeName())} is not supported; known are ByteLevel, Split, Metaspace, Digits, "
                    + "Punctuation, Whitespace, WhitespaceSplit, BertPreTokenizer, CharDelimiterSplit, Sequence");
        }
    }

    private MetaspaceStage ReadMetaspace(JsonElement json, PieceStage next)
    {
        byte[] mark = Encoding.UTF8.GetBytes(json.TextField("replacement", "\u2581"));
        return mark.Length > 0
            ? new MetaspaceStage(mark, Scheme(json), json.Flag("split", true), _buffer++, next)
            : throw new UsageException("\"replacement\" is empty");
    }

    /// <summary>When Metaspace puts its mark in front; older files say only whether.</summary>
    public static PrependScheme Scheme(JsonElement json) => json.TextField("prepend_scheme", string.Empty) switch
    {
        "always" => PrependScheme.Always,
        "never" => PrependScheme.Never,
        "first" => PrependScheme.First,
        "" => json.Flag("add_prefix_space", true) ? PrependScheme.Always : PrependScheme.Never,
        string other => throw new UsageException($"\"prepend_scheme\" must be always, never or first, not {JsonFields.Show(other)}"),
    };

    private static SplitBehavior Behavior(JsonElement json) => json.TextField("behavior", "Isolated") switch
    {
        "Removed" => SplitBehavior.Removed,
        "Isolated" => SplitBehavior.Isolated,
        "MergedWithPrevious" => SplitBehavior.MergedWithPrevious,
        "MergedWithNext" => SplitBehavior.MergedWithNext,
        "Contiguous" => SplitBehavior.Contiguous,
        string other => throw new UsageException(
            $"\"behavior\" must be Removed, Isolated, MergedWithPrevious, MergedWithNext or Contiguous, not {JsonFields.Show(other)}"),
    };

    private static SplitStage Split(CodePointSet set, SplitBehavior behavior, PieceStage next) =>
        new(new SetMatcher(set), behavior, invert: false, next);

    private static CodePointSet Class(CharacterClass wanted) =>
        CodePointSet.Where(codePoint => (CharacterClasses.Of(codePoint) & wanted) != 0);
}
