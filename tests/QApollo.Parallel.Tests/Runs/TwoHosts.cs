using System.Diagnostics;
using Xunit;

namespace QApollo.Parallel.Tests.Runs;

/// <summary>Two hosts on this one: network namespaces with a cable between them, and names of their own.</summary>
internal sealed class TwoHosts : IDisposable
{
    private const string Launch = "echo \"$0\" > /proc/sys/kernel/hostname; exec \"$@\"";

    private static readonly Lazy<string?> s_obstacle = new(() =>
    {
        try
        {
            using var hosts = new TwoHosts();
            return hosts.Try(0, "true") is { Length: > 0 } error ? error : null;
        }
        catch (InvalidOperationException exception)
        {
            return exception.Message;
        }
    });

    private readonly string[] _names = [.. Enumerable.Range(1, 2).Select(host => $"qapollo-{Environment.ProcessId}-{Random.Shared.Next(10000)}-{host}")];
    private readonly string[] _cables = [.. Enumerable.Range(1, 2).Select(end => $"qa{Random.Shared.Next(1_000_000)}{(char)('a' + end)}")];

    /// <exception cref="InvalidOperationException">Not permitted, or no `ip`.</exception>
    public TwoHosts()
    {
        try
        {
            foreach (string name in _names)
            {
                Require("ip", "netns", "add", name);
            }

            Require("ip", "link", "add", _cables[0], "netns", _names[0], "type", "veth", "peer", "name", _cables[1], "netns", _names[1]);
            for (int host = 0; host < 2; host++)
            {
                Require("ip", "-n", _names[host], "addr", "add", Address(host) + "/24", "dev", _cables[host]);
                Require("ip", "-n", _names[host], "link", "set", _cables[host], "up");
                Require("ip", "-n", _names[host], "link", "set", "lo", "up");
            }
        }
        catch (InvalidOperationException)
        {
            Dispose();
            throw;
        }
    }

    /// <summary>Why there can be none here; null where there can.</summary>
    public static string? Obstacle => s_obstacle.Value;

    public static string Address(int host) => $"10.77.31.{host + 1}";

    public string NameOf(int host) => _names[host];

    /// <summary>A command line that runs the words on a host.</summary>
    public IReadOnlyList<string> On(int host, IEnumerable<string> words) =>
        ["ip", "netns", "exec", _names[host], "unshare", "--uts", "sh", "-c", Launch, _names[host], .. words];

    /// <summary>Nothing reaches the other host any more, and nothing says so.</summary>
    public void Cut() => Require("ip", "-n", _names[1], "link", "set", _cables[1], "down");

    public void Dispose() => Array.ForEach(_names, name => Run(["ip", "netns", "del", name]));

    private string Try(int host, params string[] words) => Run(On(host, words));

    private static void Require(params string[] words)
    {
        if (Run(words) is { Length: > 0 } error)
        {
            throw new InvalidOperationException(error);
        }
    }

    /// <returns>Empty for success.</returns>
    private static string Run(IReadOnlyList<string> words)
    {
        try
        {
            using Process process = Process.Start(new ProcessStartInfo(words[0], words.Skip(1)) { RedirectStandardError = true })!;
            string error = process.StandardError.ReadToEnd().Trim();
            process.WaitForExit();
            return process.ExitCode == 0 ? string.Empty : $"{string.Join(' ', words)}: {error}";
        }
        catch (System.ComponentModel.Win32Exception exception)
        {
            return $"{words[0]}: {exception.Message}";
        }
    }
}

/// <summary>Runs where network namespaces may be made.</summary>
internal sealed class TwoHostsFactAttribute : FactAttribute
{
    public TwoHostsFactAttribute() => Skip = TwoHosts.Obstacle is { } obstacle ? $"needs network namespaces (root, iproute2, util-linux): {obstacle}" : null;
}
