namespace QApollo.Memory;

/// <summary>A GPU as its maker describes it; an upper bound of what a program can get from it.</summary>
/// <param name="Name">As `--budget` takes it: "rtx-3060-12gb".</param>
/// <param name="BFloatFlops">Peak of dense BF16 tensor-core products with F32 sums, FLOP/s.</param>
/// <param name="Int8Ops">Peak of dense INT8 tensor-core products, op/s.</param>
/// <param name="Processors">Streaming multiprocessors.</param>
/// <param name="ClockHertz">Boost clock.</param>
/// <param name="MemoryBytes">Size of the memory.</param>
/// <param name="BytesPerSecond">Peak memory bandwidth.</param>
/// <param name="Link">How it is connected, in a machine that gives it all lanes.</param>
/// <param name="Source">Where the figures are from.</param>
public sealed record Card(
    string Name, string Title, double BFloatFlops, double Int8Ops, int Processors, double ClockHertz, long MemoryBytes, double BytesPerSecond, PcieLink Link, string Source)
{
    /// <summary>Share of the memory that a program can have: the driver, a desktop and rounding keep the rest.</summary>
    private const double UsableShare = 0.95;

    /// <summary>The title without form and memory size, as drivers name cards: "RTX 3060", "H200".</summary>
    public string Model => Title.Replace(" SXM", "", StringComparison.Ordinal) is var title && title.EndsWith(" GB", StringComparison.Ordinal)
        ? title[..title.LastIndexOf(' ', title.Length - 4)]
        : title;

    /// <summary>What a plan for this card may take, the program's own driver context included.</summary>
    public long UsableBytes => (long)(MemoryBytes * UsableShare);
}

/// <summary>
/// Cards that budgets and speed bounds know. GeForce tensor cores sum in F32 at half the rate of F16 sums: 512 FLOP per
/// clock and multiprocessor for BF16, 2048 for INT8, at the boost clock. Where the maker's white paper has no table for a
/// card, the figure is that product of its specified multiprocessors and clock. Links are those of the makers' specifications.
/// </summary>
public static class Cards
{
    private const string Ampere = "NVIDIA Ampere GA102 GPU Architecture, appendix A";
    private const string Ada = "NVIDIA Ada GPU Architecture, appendix A";
    private const string Blackwell = "NVIDIA RTX Blackwell GPU Architecture, appendix A";

    /// <summary>Words that make a name that of another card.</summary>
    private static readonly string[] OtherCards = ["Laptop", "Ti", "Super", "D"];

    private static readonly PcieLink Pcie4x8 = new(4, 8);
    private static readonly PcieLink Pcie4 = new(4, 16);
    private static readonly PcieLink Pcie5x8 = new(5, 8);
    private static readonly PcieLink Pcie5 = new(5, 16);

    public static IReadOnlyList<Card> All { get; } =
    [
        GeForce("rtx-3060-12gb", "RTX 3060 12 GB", 28, 1.777, 12, 360, Pcie4, "specification: 28 multiprocessors at 1777 MHz, 360 GB/s"),
        GeForce("rtx-3070-8gb", "RTX 3070", 46, 1.725, 8, 448, Pcie4, Ampere),
        GeForce("rtx-3080-10gb", "RTX 3080", 68, 1.710, 10, 760, Pcie4, Ampere),
        GeForce("rtx-3090-24gb", "RTX 3090", 82, 1.695, 24, 936, Pcie4, Ampere),
        GeForce("rtx-4060-laptop-8gb", "RTX 4060 Laptop", 24, 2.370, 8, 256, Pcie4x8, "specification: 24 multiprocessors at 2370 MHz at most, by the laptop's power limit; 256 GB/s"),
        GeForce("rtx-4060-ti-16gb", "RTX 4060 Ti 16 GB", 34, 2.535, 16, 288, Pcie4x8, "specification: 34 multiprocessors at 2535 MHz, 288 GB/s"),
        GeForce("rtx-4070-12gb", "RTX 4070", 46, 2.475, 12, 504, Pcie4, "specification: 46 multiprocessors at 2475 MHz, 504 GB/s"),
        GeForce("rtx-4070-ti-super-16gb", "RTX 4070 Ti Super", 66, 2.610, 16, 672, Pcie4, "specification: 66 multiprocessors at 2610 MHz, 672 GB/s"),
        GeForce("rtx-4080-16gb", "RTX 4080", 76, 2.505, 16, 717, Pcie4, Ada),
        GeForce("rtx-4090-24gb", "RTX 4090", 128, 2.520, 24, 1008, Pcie4, Ada),
        GeForce("rtx-5060-ti-16gb", "RTX 5060 Ti 16 GB", 36, 2.572, 16, 448, Pcie5x8, "specification: 36 multiprocessors at 2572 MHz, 448 GB/s"),
        GeForce("rtx-5070-12gb", "RTX 5070", 48, 2.512, 12, 672, Pcie5, Blackwell),
        GeForce("rtx-5080-16gb", "RTX 5080", 84, 2.617, 16, 960, Pcie5, Blackwell),
        GeForce("rtx-5090-32gb", "RTX 5090", 170, 2.407, 32, 1792, Pcie5, Blackwell),
        new("a100-80gb", "A100 SXM 80 GB", 312e12, 624e12, 108, 1.410e9, 80L << 30, 2039e9, Pcie4, "NVIDIA A100 Tensor Core GPU datasheet"),
        new("h100-80gb", "H100 SXM", 989.4e12, 1978.9e12, 132, 1.830e9, 80L << 30, 3350e9, Pcie5, "NVIDIA H100 Tensor Core GPU Architecture; datasheet"),
        new("h200-141gb", "H200 SXM", 989.4e12, 1978.9e12, 132, 1.830e9, 141_000_000_000, 4800e9, Pcie5, "NVIDIA H200 Tensor Core GPU datasheet"),
    ];

    /// <summary>The card of that name, with or without its memory size, case ignored; null if it is not known.</summary>
    public static Card? TryFind(string name) => All.FirstOrDefault(card =>
        card.Name.Equals(name, StringComparison.OrdinalIgnoreCase)
        || card.Name[..card.Name.LastIndexOf('-')].Equals(name, StringComparison.OrdinalIgnoreCase));

    /// <summary>
    /// The card that a driver's name of a device speaks of: "NVIDIA GeForce RTX 4070", "NVIDIA A100-SXM4-80GB"; null for
    /// none. A laptop's card, a Ti and a Super are others than the card whose name they share.
    /// </summary>
    public static Card? TryFindByDeviceName(string deviceName)
    {
        string words = $" {deviceName.Replace('-', ' ')} ";
        Card? found = All.Where(card => words.Contains($" {card.Model} ", StringComparison.OrdinalIgnoreCase)).MaxBy(card => card.Model.Length);
        string rest = found is null ? "" : words.Replace($" {found.Model} ", " ", StringComparison.OrdinalIgnoreCase);
        return OtherCards.Any(word => rest.Contains($" {word} ", StringComparison.OrdinalIgnoreCase)) ? null : found;
    }

    private static Card GeForce(string name, string title, int processors, double boostGigahertz, int gibibytes, double gigabytesPerSecond, PcieLink link, string source) => new(
        name, title, processors * 512 * boostGigahertz * 1e9, processors * 2048 * boostGigahertz * 1e9, processors, boostGigahertz * 1e9,
        (long)gibibytes << 30, gigabytesPerSecond * 1e9, link, source);
}
