using System.CommandLine;
using QApollo.Cuda;
using QApollo.Devices;
using QApollo.Memory;

namespace QApollo.GpuCheck.Commands;

/// <summary>`qapollo-check hold`: makes a large card small. Takes device memory until so much is left, and holds it.</summary>
internal static class HoldCommand
{
    /// <summary>The driver gives device memory in such pages.</summary>
    private const long PageBytes = 2 << 20;

    public static Command Create()
    {
        var device = DeviceOption.Create();
        var leave = new Option<string>("--leave") { Description = "Device memory that stays free, such as 12GB.", Required = true };
        var command = new Command("hold", "Hold device memory until standard input closes; prints what is left.") { device, leave };
        command.SetAction(parsed => Execute(parsed.GetValue(device)!, parsed.GetValue(leave)!));
        return command;
    }

    private static int Execute(string deviceText, string leaveText)
    {
        long leave = BudgetText.Parse(leaveText, "--leave", () => throw new UsageException("--leave: takes a size such as 12GB"));
        using CudaDevice device = DeviceOption.OpenCuda(deviceText);
        (long free, long total) = device.MemoryInfo();
        long held = 0;

        // Pieces, since one range of that size need not be free; the last ones are pages.
        for (long piece = (free - leave) / PageBytes * PageBytes; piece >= PageBytes && free - leave >= PageBytes;)
        {
            if (TryAllocate(device, piece))
            {
                held += piece;
                free = device.MemoryInfo().Free;
                piece = Math.Min(piece, Math.Max(free - leave, 0) / PageBytes * PageBytes);
            }
            else
            {
                piece = piece / 2 / PageBytes * PageBytes;
            }
        }

        JsonReply.Write(json =>
        {
            json.WriteNumber("freeBytes", free);
            json.WriteNumber("heldBytes", held);
            json.WriteNumber("totalBytes", total);
        });
        Console.In.ReadToEnd();
        return 0;
    }

    private static bool TryAllocate(CudaDevice device, long bytes)
    {
        try
        {
            device.Allocate(MemorySpace.Device, bytes);
            return true;
        }
        catch (OutOfMemoryException)
        {
            return false;
        }
    }
}
