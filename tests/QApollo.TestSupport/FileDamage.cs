namespace QApollo.TestSupport;

/// <summary>Random damage to the bytes of a valid file.</summary>
public static class FileDamage
{
    /// <summary>Flips, overwrites, inserts, removes or repeats a few bytes, here and in the first eight.</summary>
    public static byte[] Apply(byte[] valid, Random random)
    {
        List<byte> bytes = [.. valid];
        for (int n = random.Next(1, 4); n > 0 && bytes.Count > 1; n--)
        {
            int at = random.Next(bytes.Count);
            int length = Math.Min(random.Next(1, 12), bytes.Count - at);
            switch (random.Next(6))
            {
                case 0:
                    bytes[at] ^= (byte)(1 << random.Next(8));
                    break;
                case 1:
                    bytes[at] = (byte)"0123456789,:{}[]\"-e."[random.Next(20)];
                    break;
                case 2:
                    bytes.Insert(at, (byte)random.Next(256));
                    break;
                case 3:
                    bytes.RemoveRange(at, length);
                    break;
                case 4:
                    bytes.InsertRange(at, bytes.GetRange(at, length));
                    break;
                default:
                    bytes[random.Next(Math.Min(8, bytes.Count))] = (byte)random.Next(256);
                    break;
            }
        }

        return [.. bytes];
    }
}
