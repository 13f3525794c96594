namespace QApollo.Data;

/// <summary>A place in a corpus where reading can go on.</summary>
/// <param name="File">Number of the file; the number of files: the end.</param>
/// <param name="Offset">Byte of its content after decompression (XML: of its text; .parquet: as <paramref name="Line"/>).</param>
/// <param name="Line">Lines before it (.jsonl) or rows (.parquet).</param>
internal readonly record struct CorpusPosition(int File, long Offset, long Line);
