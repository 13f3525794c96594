namespace QApollo.Data;

/// <summary>Reads the text of a corpus from beginning to end, as a tokenizer's trainer wants it. Memory stays bounded whatever the corpus's size.</summary>
/// <param name="files">From <see cref="Corpus.Find"/>.</param>
/// <param name="textField">Field of .jsonl, or column of .parquet, that holds the text.</param>
/// <param name="strict">Refuse invalid UTF-8 instead of replacing it, and rows without text instead of skipping them.</param>
public sealed class DocumentSource(IReadOnlyList<CorpusFile> files, string textField = "text", bool strict = false)
{
    /// <summary>Size of the files on disk.</summary>
    public long SourceBytes { get; } = files.Sum(file => file.Length);

    /// <summary>Rows without text that the last reading skipped so far.</summary>
    public long Skipped { get; private set; }

    /// <summary>File, place and fault of the first of them.</summary>
    public string? FirstSkipped { get; private set; }

    /// <summary>Pieces of documents in order, valid UTF-8, at most a megabyte each; a document longer than that gives several.</summary>
    /// <param name="progress">Bytes of the files read so far.</param>
    /// <exception cref="RunFailedException">A file is damaged or broken: the message names it and the place.</exception>
    public IEnumerable<ReadOnlyMemory<byte>> Read(IProgress<long>? progress = null)
    {
        var parser = new DocumentParser(textField, strict);
        var pieces = new PieceList();
        using var reader = new ChunkReader(files, default, textField, Environment.ProcessorCount);
        SkippedRows inFile = SkippedRows.None;
        string path = string.Empty;
        Skipped = 0;
        FirstSkipped = null;
        while (reader.TryRead(out TextChunk? chunk))
        {
            using (chunk)
            {
                if (chunk.File.Path != path)
                {
                    // The end of a file may come out only behind its last chunk.
                    inFile.RequireText(path, atEnd: true);
                    (inFile, path) = (SkippedRows.None, chunk.File.Path);
                }

                SkippedRows skipped = parser.Parse(chunk, pieces).Skipped;
                inFile = inFile.Then(skipped);
                inFile.RequireText(path, chunk.End.File > chunk.Start.File);
                Skipped += skipped.Count;
                FirstSkipped ??= skipped.First is { } first ? $"{chunk.File.Path}, {first}" : null;
                progress?.Report(chunk.SourceBytes);
            }

            foreach (ReadOnlyMemory<byte> piece in pieces.Pieces)
            {
                yield return piece;
            }

            pieces.Pieces.Clear();
        }

        inFile.RequireText(path, atEnd: true);
    }

    private sealed class PieceList : IDocumentSink
    {
        public List<ReadOnlyMemory<byte>> Pieces { get; } = [];

        public void Append(ReadOnlySpan<byte> text, bool begins, bool ends) => Pieces.Add(text.ToArray());
    }
}
