using System.CommandLine;
using System.Text.Json;
using QApollo.Devices;
using QApollo.TestSupport;
using QApollo.Training;

namespace QApollo.GpuCheck.Commands;

/// <summary>`qapollo-check losses`: trains the parity courses on the CPU and stores what each step reports.</summary>
internal static class LossesCommand
{
    public static Command Create()
    {
        var output = new Option<string>("--output") { Description = "The file to write.", DefaultValueFactory = _ => ParityCommand.DefaultFile };
        var command = new Command("losses", "Store the CPU's losses that parity compares with.") { output };
        command.SetAction(parsed => Execute(parsed.GetValue(output)!));
        return command;
    }

    private static int Execute(string path)
    {
        using var stream = new MemoryStream();
        using (var json = new Utf8JsonWriter(stream, new JsonWriterOptions { Indented = true }))
        {
            json.WriteStartObject();
            foreach (ParityCourse course in ParityCourse.All)
            {
                using IDevice device = DeviceOption.Open("cpu");
                json.WriteStartArray(course.Name);
                foreach (StepResult step in course.Train(device))
                {
                    Write(json, step);
                }

                json.WriteEndArray();
            }

            json.WriteEndObject();
        }

        stream.WriteByte((byte)'\n');
        File.WriteAllBytes(path, stream.ToArray());
        return 0;
    }

    private static void Write(Utf8JsonWriter json, in StepResult step)
    {
        json.WriteStartObject();
        json.WriteNumber("loss", step.Loss);
        json.WriteNumber("gradientNorm", step.GradientNorm);
        json.WriteNumber("changedShare", step.ChangedShare);
        json.WriteNumber("tokens", step.Tokens);
        json.WriteEndObject();
    }
}
