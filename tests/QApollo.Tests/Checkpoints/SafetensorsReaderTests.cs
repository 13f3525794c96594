using System.Buffers.Binary;
using System.Text;
using QApollo.Checkpoints;
using QApollo.TestSupport;
using Xunit;

namespace QApollo.Tests.Checkpoints;

public sealed class SafetensorsReaderTests : IDisposable
{
    private const string TwoTensors = """{"b":{"dtype":"U8","shape":[3],"data_offsets":[8,11]},"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}""";

    private readonly TempFolder folder = new();
    private readonly string path;

    public SafetensorsReaderTests() => path = folder.File("model.safetensors");

    public void Dispose() => folder.Dispose();

    [Fact]
    public void Tensors_come_in_the_order_of_their_bytes_whatever_the_order_of_the_header()
    {
        Write(TwoTensors, [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11]);
        using var reader = new SafetensorsReader(path);

        Assert.Equal(["a F32[2]", "b U8[3]"], reader.Entries.Select(entry => entry.ToString()));
        Assert.Equal((2, 8), (reader.Entries[0].Elements, reader.Entries[0].ByteLength));
        byte[] b = new byte[3];
        reader.Read(reader.Find("b"), b);
        Assert.Equal([9, 10, 11], b);
        Assert.Null(reader.TryFind("c"));
        Assert.Equal($"{path}: has no tensor 'c'", Assert.Throws<InvalidFileException>(() => reader.Find("c")).Message);
    }

    [Fact]
    public void Parts_of_a_tensor_can_be_read_and_nothing_beyond_it()
    {
        Write(TwoTensors, [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11]);
        using var reader = new SafetensorsReader(path);
        SafetensorsEntry a = reader.Find("a");
        byte[] part = new byte[4];
        reader.Read(a, 4, part);

        Assert.Equal([5, 6, 7, 8], part);
        Assert.Throws<ArgumentOutOfRangeException>(() => reader.Read(a, 5, part));
        Assert.Throws<ArgumentOutOfRangeException>(() => reader.Read(a, -1, part));
        Assert.Throws<ArgumentException>(() => reader.Read(a, part));
        Assert.Throws<ArgumentException>(() => reader.Read(a, new byte[9]));
    }

    [Fact]
    public void Metadata_scalars_and_empty_tensors_are_read()
    {
        Write("""{"__metadata__":{"format":"pt","step":"7"},"s":{"dtype":"BF16","shape":[],"data_offsets":[0,2],"extra":1},"e":{"dtype":"I64","shape":[4,0],"data_offsets":[2,2]}}   """, [1, 2]);
        using var reader = new SafetensorsReader(path);

        Assert.Equal("7", reader.Metadata["step"]);
        Assert.Empty(reader.Find("s").Shape);
        Assert.Equal(1, reader.Find("s").Elements);
        Assert.Equal(0, reader.Find("e").Elements);
        reader.Read(reader.Find("e"), []);
    }

    [Theory]
    [InlineData("""{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,9]}}""", "tensor 'a': ends at byte 9 of the data, but the file holds only 8; it is truncated or damaged")]
    [InlineData("""{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}""", "4 bytes follow the last tensor")]
    [InlineData("""{}""", "8 bytes follow the last tensor")]
    [InlineData("""{"a":{"dtype":"F32","shape":[3],"data_offsets":[0,8]}}""", "tensor 'a': F32[3] needs 12 bytes, but data_offsets span 8")]
    [InlineData("""{"a":{"dtype":"F32","shape":[],"data_offsets":[0,8]}}""", "tensor 'a': F32[] needs 4 bytes, but data_offsets span 8")]
    [InlineData("""{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"b":{"dtype":"U8","shape":[3],"data_offsets":[5,8]}}""", "tensor 'b': begins at byte 5 of the data; bytes 4 to 4 belong to no tensor")]
    [InlineData("""{"a":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}}""", "tensor 'a': begins at byte 4 of the data; bytes 0 to 3 belong to no tensor")]
    [InlineData("""{"a":{"dtype":"U8","shape":[5],"data_offsets":[0,5]},"b":{"dtype":"U8","shape":[4],"data_offsets":[4,8]}}""", "tensor 'b': begins at byte 4 of the data, inside the tensor before it, which ends at 5")]
    [InlineData("""{"a":{"dtype":"F32","shape":[2],"data_offsets":[8,0]}}""", "tensor 'a': data_offsets are not [begin, end] with begin <= end")]
    [InlineData("""{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,4,8]}}""", "tensor 'a': data_offsets are not [begin, end] with begin <= end")]
    [InlineData("""{"a":{"dtype":"F32","shape":[2],"data_offsets":[-8,0]}}""", "tensor 'a': data_offsets contains -8; expected integers from 0 to 9223372036854775807")]
    [InlineData("""{"a":{"dtype":"F32","shape":[2.5],"data_offsets":[0,8]}}""", "tensor 'a': shape contains 2.5; expected integers from 0 to 9223372036854775807")]
    [InlineData("""{"a":{"dtype":"F32","shape":["2"],"data_offsets":[0,8]}}""", "tensor 'a': shape contains \"2\"; expected integers from 0 to 9223372036854775807")]
    [InlineData("""{"a":{"dtype":"F32","shape":[18446744073709551618],"data_offsets":[0,8]}}""", "tensor 'a': shape contains 18446744073709551618; expected integers from 0 to 9223372036854775807")]
    [InlineData("""{"a":{"dtype":"F32","shape":[4611686018427387904,4],"data_offsets":[0,8]}}""", "tensor 'a': a shape of that size has more bytes than a file can hold")]
    [InlineData("""{"a":{"dtype":"F32","shape":[4611686018427387904],"data_offsets":[0,8]}}""", "tensor 'a': a shape of that size has more bytes than a file can hold")]
    [InlineData("""{"a":{"dtype":"F32","shape":2,"data_offsets":[0,8]}}""", "tensor 'a': shape is not a list of integers")]
    [InlineData("""{"a":{"dtype":"F8_E4M3","shape":[8],"data_offsets":[0,8]}}""", "tensor 'a': dtype \"F8_E4M3\" is not supported; there are F64, F32, F16, BF16, I64, I32, U8, I8, BOOL")]
    [InlineData("""{"a":{"dtype":7,"shape":[8],"data_offsets":[0,8]}}""", "tensor 'a': dtype 7 is not supported; there are F64, F32, F16, BF16, I64, I32, U8, I8, BOOL")]
    [InlineData("""{"a":{"dtype":"U8","shape":[8],"shape":[8],"data_offsets":[0,8]}}""", "tensor 'a': has shape twice")]
    [InlineData("""{"a":{"dtype":"U8","data_offsets":[0,8]}}""", "tensor 'a': has no shape")]
    [InlineData("""{"a":{"dtype":"U8","shape":[4],"data_offsets":[0,4]},"a":{"dtype":"U8","shape":[4],"data_offsets":[4,8]}}""", "tensor 'a': appears twice")]
    [InlineData("""{"a\n":3}""", "tensor 'a?': is not described by a JSON object")]
    [InlineData("""{"__metadata__":3}""", "__metadata__ is not a JSON object")]
    [InlineData("""{"__metadata__":{"a":3}}""", "__metadata__ contains a value that is not a string")]
    [InlineData("""[1]""", "the header is not a JSON object")]
    [InlineData("""{"a":""", "the header is not valid JSON")]
    [InlineData("", "the header is not valid JSON")]
    [InlineData("""{"\ud800":{}}""", "the header contains text that is not valid Unicode")]
    public void A_broken_header_is_one_line_that_names_file_and_tensor(string header, string fault)
    {
        Write(header, new byte[8]);

        Assert.Equal($"{path}: {fault}", Assert.Throws<InvalidFileException>(() => new SafetensorsReader(path)).Message);
    }

    [Theory]
    [InlineData(0, "is empty, or no regular file")]
    [InlineData(7, "holds only 7 bytes; a safetensors file starts with the length of its header in 8")]
    [InlineData(8, "a header of 107 bytes is more than the file (8 bytes) or the format allows; it is truncated or no safetensors file")]
    [InlineData(60, "a header of 107 bytes is more than the file (60 bytes) or the format allows; it is truncated or no safetensors file")]
    [InlineData(122, "tensor 'b': ends at byte 11 of the data, but the file holds only 7; it is truncated or damaged")]
    public void A_truncated_file_is_told_wherever_it_ends(int bytes, string fault)
    {
        Write(TwoTensors, new byte[11]);
        byte[] whole = File.ReadAllBytes(path);
        File.WriteAllBytes(path, whole[..bytes]);

        Assert.Equal($"{path}: {fault}", Assert.Throws<InvalidFileException>(() => new SafetensorsReader(path)).Message);
    }

    [Theory]
    [InlineData(100_000_001UL)]
    [InlineData(1UL << 63)]
    [InlineData(ulong.MaxValue)]
    [InlineData(ulong.MaxValue - 7)]
    public void A_header_length_beyond_file_or_format_allocates_nothing(ulong length)
    {
        using (FileStream stream = File.Create(path))
        {
            byte[] bytes = new byte[16];
            BinaryPrimitives.WriteUInt64LittleEndian(bytes, length);
            stream.Write(bytes);
            stream.SetLength(200_000_000); // sparse
        }

        long before = GC.GetAllocatedBytesForCurrentThread();
        Assert.Throws<InvalidFileException>(() => new SafetensorsReader(path));
        Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - before, 0, 1_000_000);
    }

    [Fact]
    public void A_file_that_became_shorter_is_told_with_the_tensor()
    {
        Write(TwoTensors, new byte[11]);
        using var reader = new SafetensorsReader(path);
        File.WriteAllBytes(path, File.ReadAllBytes(path)[..^2]);

        Assert.Equal(
            $"{path}: became shorter while it was read ('b' is not complete)",
            Assert.Throws<InvalidFileException>(() => reader.Read(reader.Find("b"), new byte[3])).Message);
    }

    [Fact]
    public void A_missing_file_and_a_folder_are_one_clear_line()
    {
        foreach (string wrong in (string[])[folder.File("missing"), folder.Path])
        {
            var failure = Assert.ThrowsAny<RunFailedException>(() => new SafetensorsReader(wrong));
            Assert.StartsWith(wrong + ": cannot be opened: ", failure.Message, StringComparison.Ordinal);
            Assert.DoesNotContain('\n', failure.Message);
        }
    }

    [Fact]
    public void Random_damage_gives_a_readable_file_or_the_declared_error_and_never_a_big_allocation()
    {
        Write("""{"__metadata__":{"format":"pt"},"a.weight":{"dtype":"F32","shape":[2,3],"data_offsets":[0,24]},"b":{"dtype":"BF16","shape":[4],"data_offsets":[24,32]},"c":{"dtype":"U8","shape":[],"data_offsets":[32,33]}}""", new byte[33]);
        byte[] valid = File.ReadAllBytes(path);
        var random = new Random(3);
        byte[] destination = new byte[1 << 16];
        int refused = 0;
        for (int i = 0; i < 3000; i++)
        {
            File.WriteAllBytes(path, FileDamage.Apply(valid, random));
            long before = GC.GetAllocatedBytesForCurrentThread();
            try
            {
                using var reader = new SafetensorsReader(path);
                foreach (SafetensorsEntry entry in reader.Entries)
                {
                    reader.Read(entry, destination.AsSpan(0, (int)entry.ByteLength));
                }
            }
            catch (InvalidFileException e)
            {
                refused++;
                Assert.DoesNotContain('\n', e.Message);
            }

            Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - before, 0, 200_000);
        }

        Assert.InRange(refused, 1500, 2990);
    }

    private void Write(string header, byte[] data)
    {
        byte[] json = Encoding.UTF8.GetBytes(header);
        byte[] length = new byte[8];
        BinaryPrimitives.WriteInt64LittleEndian(length, json.Length);
        File.WriteAllBytes(path, [.. length, .. json, .. data]);
    }
}
