using System.Text;

namespace QApollo.Cuda.Driver;

/// <summary>
/// One kernel out of the text of its file. A driver compiles all of what it is given, and a run launches few kernels of a file: those for
/// its head size, its dtypes, its optimizer.
/// </summary>
internal static class PtxText
{
    /// <param name="file">PTX as NVRTC writes it: an entry begins and ends in the first column.</param>
    /// <returns>
    /// The file with its other kernels left empty: lines keep their numbers, so that what a driver says of a line is true of the file.
    /// </returns>
    public static byte[] Only(ReadOnlySpan<byte> file, string kernel)
    {
        byte[] text = new byte[file.Length];
        int length = 0;
        bool isOther = false;
        ReadOnlySpan<byte> name = Encoding.UTF8.GetBytes(kernel + "(");
        while (file.Length > 0)
        {
            int end = file.IndexOf((byte)'\n');
            ReadOnlySpan<byte> line = file[..(end < 0 ? file.Length : end + 1)];
            ReadOnlySpan<byte> entry = ".visible .entry "u8;
            bool wasOther = isOther;
            if (line.StartsWith(entry))
            {
                wasOther = isOther = !line[entry.Length..].StartsWith(name);
            }
            else if (line.StartsWith("}"u8))
            {
                isOther = false;
            }

            ReadOnlySpan<byte> kept = wasOther ? "\n"u8 : line;
            kept.CopyTo(text.AsSpan(length));
            length += kept.Length;
            file = file[line.Length..];
        }

        return text[..length];
    }
}
