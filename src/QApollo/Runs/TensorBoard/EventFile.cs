using System.Buffers.Binary;
using System.Globalization;
using System.Numerics;

namespace QApollo.Runs.TensorBoard;

/// <summary>
/// An event file as TensorBoard reads it: TFRecords (length, its checksum, data, its checksum) of Event messages (tensorboard/compat/proto/event.proto).
/// Each record is handed to the operating system as it is written; readers stop at one that a kill cut short.
/// </summary>
internal sealed class EventFile : IDisposable
{
    private const int TimeField = 1, StepField = 2, VersionField = 3, SummaryField = 5, SessionField = 7;
    private const int SessionStatusField = 1, SessionStarts = 1;

    private readonly FileStream _file;
    private readonly TimeProvider _time;

    /// <summary>Begins a new file in the folder, beside those of earlier runs.</summary>
    /// <param name="resumedAt">Steps behind this one, which earlier files may have, are hidden from here on; null for a new run.</param>
    /// <exception cref="IOException">It cannot be written.</exception>
    public EventFile(string folder, int? resumedAt, TimeProvider time)
    {
        _time = time;
        _file = Create(folder);
        Write(new ProtoMessage().Text(VersionField, "brain.Event:2"));
        if (resumedAt is { } step)
        {
            Restart(step);
        }
    }

    /// <summary>Steps behind this one are about to be done again: TensorBoard forgets those that it has.</summary>
    public void Restart(int completedSteps) =>
        Write(new ProtoMessage().Integer(StepField, completedSteps + 1L).Message(SessionField, new ProtoMessage().Integer(SessionStatusField, SessionStarts)));

    /// <summary>Values of one step.</summary>
    public void WriteSummary(int step, ProtoMessage summary) => Write(new ProtoMessage().Integer(StepField, step).Message(SummaryField, summary));

    public void Dispose() => _file.Dispose();

    /// <summary>length, masked CRC-32C of its 8 bytes, data, masked CRC-32C of the data; all little endian.</summary>
    public static byte[] Record(ReadOnlySpan<byte> data)
    {
        byte[] record = new byte[sizeof(ulong) + sizeof(uint) + data.Length + sizeof(uint)];
        Span<byte> rest = record;
        BinaryPrimitives.WriteUInt64LittleEndian(rest, (ulong)data.Length);
        BinaryPrimitives.WriteUInt32LittleEndian(rest[8..], MaskedChecksum(rest[..8]));
        data.CopyTo(rest[12..]);
        BinaryPrimitives.WriteUInt32LittleEndian(rest[(12 + data.Length)..], MaskedChecksum(data));
        return record;
    }

    /// <summary>An Event at a time, in seconds since 1970.</summary>
    public static byte[] Event(double seconds, ProtoMessage content)
    {
        var time = new ProtoMessage().Real(TimeField, seconds);
        return [.. time.Written, .. content.Written];
    }

    /// <summary>CRC-32C (reflected polynomial 0x82F63B78), rotated and moved so that a checksum of data with checksums is no trivial one.</summary>
    private static uint MaskedChecksum(ReadOnlySpan<byte> data)
    {
        uint crc = uint.MaxValue;
        foreach (byte value in data)
        {
            crc = BitOperations.Crc32C(crc, value);
        }

        return unchecked(BitOperations.RotateRight(~crc, 15) + 0xA282EAD8);
    }

    private void Write(ProtoMessage content)
    {
        double seconds = (_time.GetUtcNow() - DateTimeOffset.UnixEpoch).TotalSeconds;
        _file.Write(Record(Event(seconds, content)));
    }

    /// <summary>events.out.tfevents.SECONDS.HOST.PROCESS.NUMBER, of which the first part is what TensorBoard looks for.</summary>
    private FileStream Create(string folder)
    {
        long seconds = _time.GetUtcNow().ToUnixTimeSeconds();
        for (int number = 0; ; number++)
        {
            string name = string.Create(CultureInfo.InvariantCulture, $"events.out.tfevents.{seconds}.{Environment.MachineName}.{Environment.ProcessId}.{number}");
            try
            {
                return new FileStream(Path.Combine(folder, name), FileMode.CreateNew, FileAccess.Write, FileShare.Read, bufferSize: 0);
            }
            catch (IOException) when (File.Exists(Path.Combine(folder, name)))
            {
                // Another one of this second: the next number.
            }
        }
    }
}
