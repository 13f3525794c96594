using System.Buffers;

namespace QApollo.Data;

/// <summary>Data ready to train on. Owns its files: dispose it after everything that reads them.</summary>
public sealed class PreparedData : IDisposable
{
    private readonly IDisposable[] _owned;

    internal PreparedData(TokenDataset train, TokenDataset? validation, params IDisposable[] owned)
    {
        Train = train;
        Validation = validation;
        _owned = owned;
    }

    public TokenDataset Train { get; }

    /// <summary>Null when nothing was held out and no validation data was given.</summary>
    public TokenDataset? Validation { get; }

    /// <summary>The training data's folder; null: in memory, or shards given one by one.</summary>
    public string? Folder { get; init; }

    /// <summary>What the training data is made of; null: in memory, or shards without a description.</summary>
    public DatasetManifest? Manifest { get; init; }

    /// <summary>Nothing had to be tokenized: the shards were there.</summary>
    public bool Reused { get; internal set; } = true;

    /// <summary>One line each: what a person should know (what was replaced, how validation was chosen).</summary>
    public IReadOnlyList<string> Notes { get; internal set; } = [];

    /// <summary>Tokenizes small texts without any file, and holds part of them out.</summary>
    /// <param name="documents">UTF-8 texts; empty ones are left out.</param>
    /// <param name="heldOutFraction">Share held out for validation, 0 .. 0.5.</param>
    /// <exception cref="UsageException">There is no text.</exception>
    public static PreparedData InMemory(
        ITokenizer tokenizer, IEnumerable<ReadOnlyMemory<byte>> documents, double heldOutFraction = 0.01, ulong splitSeed = 0)
    {
        ArgumentNullException.ThrowIfNull(tokenizer);
        ArgumentNullException.ThrowIfNull(documents);
        var split = new HeldOutSplit(heldOutFraction, splitSeed);
        ILookup<bool, ReadOnlyMemory<byte>> sides = documents
            .Where(document => !document.IsEmpty)
            .ToLookup(document => split.IsHeldOut(document.Span[..Math.Min(document.Length, TextPiece.MaxBytes)]));
        var ids = new ArrayBufferWriter<int>();
        TokenDataset.Encode(tokenizer, sides[false], ids);
        int train = ids.WrittenCount;
        TokenDataset.Encode(tokenizer, sides[true], ids);
        if (ids.WrittenCount == 0)
        {
            throw new UsageException("data: there is no text");
        }

        TokenDataset all = TokenDataset.FromTokens(ids.WrittenMemory);
        (HeldOutKind kind, TokenRange trainPart, TokenRange validationPart) = split.Parts(train, all.Count - train);
        return new PreparedData(all.Slice(trainPart), validationPart.Count > 0 ? all.Slice(validationPart) : null, all)
        {
            Reused = false,
            Notes = kind == HeldOutKind.End ? [.. PreparationNotes.FewDocuments(trainPart, validationPart)] : [],
        };
    }

    public void Dispose()
    {
        foreach (IDisposable owned in _owned)
        {
            owned.Dispose();
        }
    }

    /// <summary>This training data with all of another dataset as validation; owns both.</summary>
    internal PreparedData WithValidation(PreparedData validation) => new(Train, validation.Train, this, validation)
    {
        Folder = Folder,
        Manifest = Manifest,
        Reused = Reused && validation.Reused,
        Notes = [.. Notes, .. validation.Notes],
    };
}
