using System.Globalization;
using System.Text;
using QApollo.Memory;
using QApollo.Reports;
using QApollo.Training;
using Xunit;

namespace QApollo.Cuda.Tests.Reports;

/// <summary>
/// docs/predictions.md holds what the program predicts for LLaMA-7B, and what that follows from. `QAPOLLO_WRITE_COSTS=1` writes
/// its tables instead.
/// </summary>
public class PredictionTableTests
{
    private const string Begin = "<!-- tables -->\n";

    private static readonly StepShape[] s_shapes = [new(1, 256, 1), new(1, 1024, 1), new(1, 1024, 32)];
    private static readonly string[] s_named = ["rtx-3060", "rtx-4070", "h200"];

    [Fact]
    public void The_document_says_what_the_program_predicts()
    {
        string path = Path.Combine(Repository.Root, "docs", "predictions.md");
        string committed = File.ReadAllText(path).ReplaceLineEndings("\n");
        string expected = committed[..(committed.IndexOf(Begin, StringComparison.Ordinal) + Begin.Length)] + Tables();
        if (Environment.GetEnvironmentVariable("QAPOLLO_WRITE_COSTS") == "1")
        {
            File.WriteAllText(path, expected);
            return;
        }

        Assert.True(committed == expected, $"docs/predictions.md is out of date; write it with QAPOLLO_WRITE_COSTS=1\n{expected}");
    }

    private static string Tables()
    {
        StepPrediction[][] predictions =
        [
            .. s_shapes.Select(shape =>
            {
                TrainingLayout layout = StepPredictionTests.Layout("7b", shape);
                return Cards.All.Select(card => StepPrediction.Of(layout, card)).ToArray();
            }),
        ];
        var text = new StringBuilder("\n## LLaMA-7B, predicted tokens/s\n\n");
        text.Append("| card | 1 x 256 | 1 x 1024 | 32 x 1024 | held up by, at 32 x 1024 |\n| --- | ---: | ---: | ---: | --- |\n");
        for (int card = 0; card < Cards.All.Count; card++)
        {
            text.Append(CultureInfo.InvariantCulture, $"| {Cards.All[card].Title} | {string.Join(" | ", predictions.Select(shape => Number(shape[card].TokensPerSecond)))} | ");
            text.Append(CultureInfo.InvariantCulture, $"{string.Join(", ", predictions[2][card].Shares.Where(share => share.Share >= 0.05).Select(share => $"{ReportText.NameOf(share.Bottleneck)} {Number(100 * share.Share)} %"))} |\n");
        }

        foreach (string name in s_named)
        {
            Card card = Cards.TryFind(name)!;
            StepPrediction prediction = predictions[1][Cards.All.ToList().IndexOf(card)];
            double total = prediction.Operations.Sum(operation => operation.Seconds);
            text.Append(CultureInfo.InvariantCulture, $"\n## {card.Title}: where a step of 1 x 1024 goes\n\n| operation | form | ms | share | held up by |\n| --- | --- | ---: | ---: | --- |\n");
            foreach (var kind in prediction.Operations.GroupBy(operation => (operation.Work.Operation, operation.Work.Form)).OrderByDescending(kind => kind.Sum(operation => operation.Seconds)))
            {
                double seconds = kind.Sum(operation => operation.Seconds);
                if (seconds >= 0.005 * total)
                {
                    text.Append(CultureInfo.InvariantCulture, $"| {kind.Key.Operation} | {kind.Key.Form} | {seconds * 1e3:F1} | {100 * seconds / total:F1} % | {ReportText.NameOf(kind.First().Bottleneck)} |\n");
                }
            }
        }

        text.Append("\n## What the kernels do\n\nFor each FLOP of products and attention, each byte of the rest; over the least: of the same bytes.\n\n");
        text.Append("| operation | form | PTX instructions per mma | instructions per KB | FLOP executed | wavefronts over the least | sectors over the least |\n| --- | --- | ---: | ---: | ---: | ---: | ---: |\n");
        foreach (OperationCost cost in OperationCosts.All)
        {
            text.Append(CultureInfo.InvariantCulture, $"| {cost.Operation} | {cost.Form} | {cost.InstructionsPerMma?.ToString("F1", CultureInfo.InvariantCulture) ?? "-"} | {(cost.TensorFlops > 0 ? "-" : (1024 * cost.Instructions).ToString("F0", CultureInfo.InvariantCulture))} | ");
            text.Append(CultureInfo.InvariantCulture, $"{(cost.TensorFlops > 0 ? cost.TensorFlops.ToString("F2", CultureInfo.InvariantCulture) : "-")} | {Ratio(cost.Wavefronts, cost.LeastWavefronts)} | {Ratio(cost.Sectors, cost.LeastSectors)} |\n");
        }

        return text.ToString();
    }

    private static string Number(double value) => value.ToString("N0", CultureInfo.InvariantCulture);

    private static string Ratio(double value, double least) => least == 0 ? "-" : (value / least).ToString("F2", CultureInfo.InvariantCulture);
}
