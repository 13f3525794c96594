using ParquetSharp;

namespace QApollo.Data.Parquet;

/// <summary>The column of a parquet file that has the texts. Not for several threads.</summary>
internal sealed class ParquetTextColumn : IDisposable
{
    private readonly ParquetFileReader _reader;
    private readonly FileMetaData _metadata;
    private readonly int _column;

    private ParquetTextColumn(ParquetFileReader reader, string path, string field)
    {
        _reader = reader;
        _metadata = reader.FileMetaData;
        SchemaDescriptor schema = _metadata.Schema;
        _column = Find(schema, path, field);
        ColumnDescriptor column = schema.Column(_column);
        MaxDefinitionLevel = column.MaxDefinitionLevel;
    }

    public int RowGroups => _metadata.NumRowGroups;

    /// <summary>A value is null where its definition level is lower.</summary>
    public short MaxDefinitionLevel { get; }

    /// <param name="field">Name of the column; fields of structs are written <c>meta.text</c>.</param>
    /// <exception cref="InvalidFileException">No parquet file, an encrypted one, or one without such a column of texts.</exception>
    public static ParquetTextColumn Open(string path, string field) => ParquetErrors.Named(path, () =>
    {
        CheckEnd(path);
        using var properties = ReaderProperties.GetDefaultReaderProperties();

        // Pages are read one by one: a row group of gigabytes does not have to fit.
        properties.EnableBufferedStream();
        properties.BufferSize = 1 << 20;
        properties.EnablePageChecksumVerification();
        var reader = new ParquetFileReader(path, properties);
        try
        {
            return new ParquetTextColumn(reader, path, field);
        }
        catch
        {
            reader.Dispose();
            throw;
        }
    });

    /// <summary>Rows of a row group.</summary>
    public long Rows(int group)
    {
        using RowGroupReader rows = _reader.RowGroup(group);
        return rows.MetaData.NumRows;
    }

    /// <summary>The values of a row group, from its first on.</summary>
    public ColumnReader<ByteArray> Values(int group)
    {
        using RowGroupReader rows = _reader.RowGroup(group);
        return (ColumnReader<ByteArray>)rows.Column(_column);
    }

    public void Dispose()
    {
        _metadata.Dispose();
        _reader.Dispose();
    }

    private static void CheckEnd(string path)
    {
        Span<byte> magic = stackalloc byte[4];
        using FileStream file = File.OpenRead(path);
        if (file.Length >= 12)
        {
            file.Seek(-4, SeekOrigin.End);
            file.ReadExactly(magic);
        }

        if (magic.SequenceEqual("PARE"u8))
        {
            throw new InvalidFileException(path, "the parquet file is encrypted: write it without encryption");
        }

        if (!magic.SequenceEqual("PAR1"u8))
        {
            throw new InvalidFileException(path, "no parquet file, or cut short (its end is missing): get it again");
        }
    }

    private static int Find(SchemaDescriptor schema, string path, string field)
    {
        var columns = new List<string>();
        string? fault = null;
        for (int i = 0; i < schema.NumColumns; i++)
        {
            ColumnDescriptor column = schema.Column(i);
            using var columnPath = column.Path;
            string name = columnPath.ToDotString();
            if (name != field && !name.StartsWith(field + ".", StringComparison.Ordinal))
            {
                columns.Add(name);
            }
            else if (column.MaxRepetitionLevel > 0)
            {
                fault ??= $"column \"{field}\" has lists, not texts";
            }
            else if (name != field)
            {
                fault ??= $"column \"{field}\" has fields, as {name}";
            }
            else if (column.PhysicalType != PhysicalType.ByteArray)
            {
                fault ??= $"column \"{field}\" has {column.PhysicalType}, not texts";
            }
            else
            {
                return i;
            }
        }

        fault ??= $"no column \"{field}\"";
        const int Most = 12;
        string others = string.Join(", ", columns.Take(Most)) + (columns.Count > Most ? ", ..." : string.Empty);
        throw new InvalidFileException(path, $"{fault} (there are: {(others.Length == 0 ? "no others" : others)}); name the texts' column with --text-field");
    }
}
