using System.CommandLine;
using System.Globalization;
using System.Text.Json;
using QApollo.Cli.Options;
using QApollo.Cli.Views;
using QApollo.Memory;
using QApollo.Runs;

namespace QApollo.Cli.Commands;

/// <summary>`qapollo runs`: the runs of a folder, how far they are and how they stand.</summary>
internal static class RunsCommand
{
    private static readonly OptionSpec<string> Folder = Spec.Folder("--output-dir", "Runs", "Folder with the folders of runs, or of one run.", "checkpoints");

    public static Command Create()
    {
        var command = new Command("runs", "List runs with their steps, losses, size and state.");
        var commandLine = new CommandLine(command, [Folder, ModelOptionTable.Json]);
        command.SetAction(parsed => Execute(commandLine.ReadOrThrow(parsed)));
        return command;
    }

    private static int Execute(OptionValues values)
    {
        string folder = values.Get(Folder);
        if (values.IsGiven(Folder) && !Directory.Exists(folder))
        {
            throw new UsageException($"{Folder.Name}: {folder}: no such folder");
        }

        IReadOnlyList<RunSummary> runs = RunSummary.List(folder);
        if (values.Get(ModelOptionTable.Json))
        {
            PrintJson(runs);
        }
        else if (runs.Count == 0)
        {
            Console.WriteLine($"no runs in {Path.GetFullPath(folder)}");
        }
        else
        {
            TextTable.Write(
                $"runs in {Path.GetFullPath(folder)}", ["run", "state", "steps", "loss", "validation", "size", "changed"],
                runs.Select(run => (string[])
                [
                    Path.GetRelativePath(folder, run.Folder), StateOf(run),
                    run.MaxSteps is int most ? string.Create(CultureInfo.InvariantCulture, $"{run.Steps:N0} of {most:N0}") : run.Steps.ToString("N0", CultureInfo.InvariantCulture),
                    Loss(run.Loss), Loss(run.ValidationLoss), ByteSize.Format(run.Bytes),
                    run.Changed.ToLocalTime().ToString("yyyy-MM-dd HH:mm", CultureInfo.InvariantCulture),
                ]),
                2, 3, 4, 5);
        }

        return ExitCode.Success;
    }

    private static string StateOf(RunSummary run) => run.State switch
    {
        RunCondition.Running => "running",
        RunCondition.Finished => "finished",
        RunCondition.Stopped => "stopped",
        _ => "unsaved",
    };

    private static string Loss(double loss) => double.IsNaN(loss) ? "-" : loss.ToString("F4", CultureInfo.InvariantCulture);

    private static void PrintJson(IReadOnlyList<RunSummary> runs)
    {
        using var stream = new MemoryStream();
        using (var writer = new Utf8JsonWriter(stream, JsonOutput.Options))
        {
            writer.WriteStartArray();
            foreach (RunSummary run in runs)
            {
                writer.WriteStartObject();
                writer.WriteString("path", run.Folder);
                writer.WriteString("state", StateOf(run));
                writer.WriteNumber("steps", run.Steps);
                if (run.MaxSteps is int most)
                {
                    writer.WriteNumber("maxSteps", most);
                }

                JsonOutput.WriteReal(writer, "loss", run.Loss);
                JsonOutput.WriteReal(writer, "validationLoss", run.ValidationLoss);
                writer.WriteNumber("bytes", run.Bytes);
                writer.WriteString("changed", run.Changed);
                writer.WriteEndObject();
            }

            writer.WriteEndArray();
        }

        JsonOutput.Print(stream);
    }
}
