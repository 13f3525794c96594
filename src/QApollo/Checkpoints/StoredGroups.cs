using QApollo.Devices;
using QApollo.Models;
using QApollo.Quantization;

namespace QApollo.Checkpoints;

/// <summary>
/// A matrix of INT8 groups in a file, in one of two forms with the same bytes for the codes. This program's: <c>X.weight</c> U8
/// [out, in], <c>X.weight_scale</c> BF16 [out, groups], <c>X.weight_zero</c> U8 [out, groups]. Or compressed-tensors'
/// pack-quantized: <c>X.weight_packed</c> I32 [out, in / 4], the same scales, and <c>X.weight_zero_point</c> I32 [out / 4, groups],
/// a word for four rows, the first in its lowest byte; left out where every zero point is 128.
/// </summary>
internal sealed class StoredGroups
{
    /// <summary>Bytes in an I32 word.</summary>
    public const int Packed = sizeof(int);

    private readonly Parameter _parameter;
    private readonly (SafetensorsReader Reader, SafetensorsEntry Entry) _codes;
    private readonly (SafetensorsReader Reader, SafetensorsEntry Entry) _scales;
    private readonly (SafetensorsReader Reader, SafetensorsEntry Entry)? _zeroPoints;
    private readonly bool _isPacked;
    private readonly int _groups;

    /// <param name="groupSize">32, 64, 128 or 256.</param>
    /// <param name="isSymmetric">Zero points may be missing: all are 128 then.</param>
    /// <exception cref="InvalidFileException">Scales or zero points are missing.</exception>
    public StoredGroups(Parameter parameter, SafetensorsSet files, (SafetensorsReader Reader, SafetensorsEntry Entry) codes, int groupSize, bool isSymmetric = false)
    {
        _parameter = parameter;
        _codes = codes;
        _isPacked = codes.Entry.DType == SafetensorsDType.I32;
        GroupSize = groupSize;
        _groups = WeightMatrix.GroupsPerRow(parameter.Columns, groupSize);
        _scales = files.Find(ScaleName(parameter.Name));
        ZeroPointRule = TrainedWeightsFile.RuleOf(codes.Reader);
        string zeroPoints = _isPacked ? PackedZeroPointName(parameter.Name) : ZeroPointName(parameter.Name);
        _zeroPoints = isSymmetric ? files.TryFind(zeroPoints) : files.Find(zeroPoints);
    }

    /// <summary>Values that share a scale and a zero point.</summary>
    public int GroupSize { get; }

    /// <summary>The rule that the groups were made by; asymmetric where the file does not say.</summary>
    public ZeroPointRule ZeroPointRule { get; }

    public static string ScaleName(string weight) => weight + "_scale";

    public static string ZeroPointName(string weight) => weight + "_zero";

    public static string PackedName(string weight) => weight + "_packed";

    public static string PackedZeroPointName(string weight) => weight + "_zero_point";

    public static string ShapeName(string weight) => weight + "_shape";

    /// <summary>All names that a matrix may have in a file, in either form.</summary>
    public static IEnumerable<string> Names(string weight) =>
        [ScaleName(weight), ZeroPointName(weight), PackedName(weight), PackedZeroPointName(weight), ShapeName(weight)];

    /// <exception cref="InvalidFileException">A shape or type is not that of the parameter.</exception>
    public void Check()
    {
        int rows = _parameter.Rows;
        if (!_isPacked)
        {
            Require(_codes, SafetensorsDType.U8, rows, _parameter.Columns);
            Require(_zeroPoints!.Value, SafetensorsDType.U8, rows, _groups);
        }
        else
        {
            if (_parameter.Columns % Packed != 0)
            {
                throw new InvalidFileException(_codes.Reader.Path, $"holds {_codes.Entry}, but rows of {_parameter.Columns} values do not fill I32 words");
            }

            Require(_codes, SafetensorsDType.I32, rows, _parameter.Columns / Packed);
            if (_zeroPoints is (SafetensorsReader, SafetensorsEntry) zeroPoints)
            {
                Require(zeroPoints, SafetensorsDType.I32, PackedZeroPoints.WordsOf(rows), _groups);
            }
        }

        Require(_scales, SafetensorsDType.BF16, rows, _groups);
    }

    /// <param name="codes">[rows, in].</param>
    public void ReadCodes(int firstRow, Span<byte> codes) => _codes.Reader.Read(_codes.Entry, (long)firstRow * _parameter.Columns, codes);

    /// <param name="scales">[rows, groups] BF16.</param>
    /// <exception cref="InvalidFileException">A scale is not finite.</exception>
    public void ReadScales(int firstRow, Span<byte> scales)
    {
        _scales.Reader.Read(_scales.Entry, (long)firstRow * _groups * sizeof(ushort), scales);
        if (!TensorFile.IsFinite(SafetensorsDType.BF16, scales))
        {
            throw new InvalidFileException(_scales.Reader.Path, StoredWeight.NotFinite(_parameter));
        }
    }

    /// <param name="zeroPoints">[rows, groups].</param>
    public void ReadZeroPoints(int firstRow, Span<byte> zeroPoints)
    {
        if (_zeroPoints is not (SafetensorsReader reader, SafetensorsEntry entry))
        {
            zeroPoints.Fill(GroupGrid.SymmetricZeroPoint);
            return;
        }

        if (!_isPacked)
        {
            reader.Read(entry, (long)firstRow * _groups, zeroPoints);
            return;
        }

        int rows = zeroPoints.Length / _groups;
        int firstWord = firstRow / Packed;
        int words = ((firstRow + rows - 1) / Packed) - firstWord + 1;
        var packed = new byte[words * _groups * Packed];
        reader.Read(entry, (long)firstWord * _groups * Packed, packed);
        PackedZeroPoints.Unpack(packed, firstRow % Packed, _groups, zeroPoints);
    }

    private static void Require((SafetensorsReader Reader, SafetensorsEntry Entry) stored, SafetensorsDType dtype, int rows, int columns)
    {
        (SafetensorsReader reader, SafetensorsEntry entry) = stored;
        if (entry.DType != dtype || !entry.Shape.SequenceEqual([rows, columns]))
        {
            throw new InvalidFileException(
                reader.Path, $"holds {entry}, but {CheckpointFolder.ConfigFile} makes it {dtype.FormatName()}[{rows}, {columns}]");
        }
    }
}
