using System.Buffers.Binary;
using System.Security.Cryptography;
using System.Text.Json;
using QApollo.Checkpoints;
using QApollo.TestSupport;
using Xunit;

namespace QApollo.Tests.Checkpoints;

public sealed class SafetensorsWriterTests : IDisposable
{
    private readonly TempFolder folder = new();
    private readonly string path;

    public SafetensorsWriterTests() => path = folder.File("model.safetensors");

    public void Dispose() => folder.Dispose();

    [Fact]
    public void The_file_is_what_the_format_says_byte_by_byte()
    {
        using (var writer = new SafetensorsWriter(path, [new("codes", SafetensorsDType.U8, 3), new("scale", SafetensorsDType.F32, 2, 1)], new Dictionary<string, string> { ["format"] = "pt" }))
        {
            writer.Write(writer.Entries[0], [1, 2, 3, 4, 5, 6, 7, 8]);
            writer.Write(writer.Entries[1], [9, 10, 11]);
            writer.Complete();
        }

        byte[] bytes = File.ReadAllBytes(path);
        int headerBytes = (int)BinaryPrimitives.ReadInt64LittleEndian(bytes);
        using var header = JsonDocument.Parse(bytes.AsMemory(8, headerBytes));
        Assert.Equal(0, headerBytes % 8);
        Assert.Equal(
            """{"__metadata__":{"format":"pt"},"scale":{"dtype":"F32","shape":[2,1],"data_offsets":[0,8]},"codes":{"dtype":"U8","shape":[3],"data_offsets":[8,11]}}""",
            header.RootElement.GetRawText());
        Assert.Equal([1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11], bytes[(8 + headerBytes)..]);
    }

    [Fact]
    public void Every_type_and_shape_survives_writing_and_reading()
    {
        SafetensorsDeclaration[] tensors =
        [
            .. Enum.GetValues<SafetensorsDType>().Select(dtype => new SafetensorsDeclaration(dtype.FormatName(), dtype, 3, 5)),
            new("scalar", SafetensorsDType.F32),
            new("empty", SafetensorsDType.BF16, 0, 7),
            new("names may be \"quoted\", \u00E4 or \u4E2D", SafetensorsDType.U8, 1),
        ];
        var random = new Random(1);
        var contents = new Dictionary<string, byte[]>();
        using (var writer = new SafetensorsWriter(path, tensors))
        {
            foreach (SafetensorsEntry entry in writer.Entries)
            {
                byte[] content = new byte[entry.ByteLength];
                random.NextBytes(content);
                contents.Add(entry.Name, content);
                writer.Write(entry, content);
            }

            writer.Complete();
            Assert.Equal(new FileInfo(path).Length, writer.FileBytes);
        }

        using var reader = new SafetensorsReader(path);
        Assert.Equal(tensors.Length, reader.Entries.Count);
        Assert.Empty(reader.Metadata);
        foreach (SafetensorsDeclaration tensor in tensors)
        {
            SafetensorsEntry entry = reader.Find(tensor.Name);
            byte[] content = new byte[entry.ByteLength];
            reader.Read(entry, content);
            Assert.Equal(tensor.DType, entry.DType);
            Assert.Equal(tensor.Shape, entry.Shape);
            Assert.Equal(contents[tensor.Name], content);
            Assert.True(entry.Offset % entry.DType.Size() == 0, $"{entry} is not aligned");
        }
    }

    [Fact]
    public void A_tensor_larger_than_the_buffer_is_streamed_and_hashed()
    {
        const int Rows = 1_000_001;
        byte[] expected = new byte[Rows * 4];
        new Random(2).NextBytes(expected);
        var offsets = new List<long>();
        string hash;
        using (var writer = new SafetensorsWriter(path, [new("by source", SafetensorsDType.F32, Rows), new("by pieces", SafetensorsDType.F32, Rows), new("last", SafetensorsDType.U8, 1)]))
        {
            writer.Write(writer.Entries[0], (offset, piece) =>
            {
                offsets.Add(offset);
                expected.AsSpan((int)offset, piece.Length).CopyTo(piece);
            });
            for (int from = 0, size = 1; from < expected.Length; from += size, size *= 3)
            {
                writer.Write(writer.Entries[1], expected.AsSpan(from, Math.Min(size, expected.Length - from)));
            }

            writer.Write(writer.Entries[2], [42]);
            hash = writer.Complete();
        }

        byte[] bytes = File.ReadAllBytes(path);
        Assert.Equal(Convert.ToHexStringLower(SHA256.HashData(bytes)), hash);
        Assert.True(offsets.Count == 4 && offsets.All(offset => offset % 8 == 0));
        Assert.True(bytes.AsSpan()[^1..].SequenceEqual([(byte)42]));
        Assert.True(bytes.AsSpan()[..^1].EndsWith(expected));
        Assert.True(bytes.AsSpan()[..^(1 + expected.Length)].EndsWith(expected));
    }

    [Fact]
    public void A_file_without_tensors_is_a_file()
    {
        using (var writer = new SafetensorsWriter(path, []))
        {
            writer.Complete();
        }

        using var reader = new SafetensorsReader(path);
        Assert.Empty(reader.Entries);
    }

    [Fact]
    public void A_failure_leaves_the_old_file_and_nothing_else()
    {
        File.WriteAllText(path, "old");
        var source = new InvalidDataException("the device is gone");
        Assert.Same(source, Assert.Throws<InvalidDataException>(() =>
        {
            using var writer = new SafetensorsWriter(path, [new("w", SafetensorsDType.F32, 1 << 20)]);
            writer.Write(writer.Entries[0], (offset, piece) =>
            {
                if (offset > 0)
                {
                    throw source;
                }
            });
        }));

        Assert.Equal("old", File.ReadAllText(path));
        Assert.Equal(["model.safetensors"], folder.Names);
    }

    [Fact]
    public void Tensors_are_written_in_order_and_whole_or_not_at_all()
    {
        using (var writer = new SafetensorsWriter(path, [new("a", SafetensorsDType.U8, 4), new("none", SafetensorsDType.U8, 0), new("b", SafetensorsDType.U8, 2)]))
        {
            SafetensorsEntry a = writer.Entries[0];
            SafetensorsEntry b = writer.Entries[2];
            Assert.Throws<InvalidOperationException>(() => writer.Write(b, [1, 2]));
            writer.Write(a, [1, 2]);
            Assert.Throws<InvalidOperationException>(() => writer.Write(b, [1, 2]));
            Assert.Throws<InvalidOperationException>(() => writer.Write(a, [3, 4, 5]));
            Assert.Throws<InvalidOperationException>(() => writer.Write(a, (_, _) => { }));
            Assert.Throws<InvalidOperationException>(writer.Complete);
            writer.Write(a, [3, 4]);
            writer.Write(b, [5]);
            Assert.Throws<InvalidOperationException>(writer.Complete);
            writer.Write(b, [6]);
            Assert.Throws<InvalidOperationException>(() => writer.Write(a, [1]));
            writer.Complete();
        }

        Assert.True(File.ReadAllBytes(path).AsSpan().EndsWith((ReadOnlySpan<byte>)[1, 2, 3, 4, 5, 6]));
    }

    [Fact]
    public void Declarations_that_no_file_could_hold_are_refused_before_a_file_exists()
    {
        Assert.Throws<ArgumentException>(() => new SafetensorsWriter(path, [new("a", SafetensorsDType.U8, 1), new("a", SafetensorsDType.F32, 1)]));
        Assert.Throws<ArgumentException>(() => new SafetensorsWriter(path, [new("__metadata__", SafetensorsDType.U8, 1)]));
        Assert.Throws<ArgumentException>(() => new SafetensorsWriter(path, [new("a", SafetensorsDType.U8, -1, -1)]));
        Assert.Throws<OverflowException>(() => new SafetensorsWriter(path, [new("a", SafetensorsDType.F32, 1L << 62)]));
        Assert.Throws<OverflowException>(() => new SafetensorsWriter(path, [new("a", SafetensorsDType.U8, 1L << 62), new("b", SafetensorsDType.U8, 1L << 62)]));
        Assert.Empty(folder.Names);
    }
}
