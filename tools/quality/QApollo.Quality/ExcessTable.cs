using System.Globalization;

namespace QApollo.Quality;

/// <summary>Figures by name: each seed's is the mean of its measurements, the table's the mean over seeds with its standard error.</summary>
internal sealed class ExcessTable
{
    private readonly List<string> _names = [];
    private readonly Dictionary<(string Name, int Seed), List<double>> _values = [];

    public void Add(string name, int seed, double value)
    {
        if (!_values.TryGetValue((name, seed), out List<double>? values))
        {
            _values.Add((name, seed), values = []);
            if (!_names.Contains(name))
            {
                _names.Add(name);
            }
        }

        values.Add(value);
    }

    /// <summary>As Markdown.</summary>
    public void Write(TextWriter output)
    {
        output.WriteLine("| rule | mean | standard error | seeds |");
        output.WriteLine("| --- | --- | --- | --- |");
        foreach (string name in _names)
        {
            double[] seeds = [.. _values.Where(entry => entry.Key.Name == name).Select(entry => entry.Value.Average())];
            double mean = seeds.Average();
            double error = seeds.Length < 2 ? double.NaN : Math.Sqrt(seeds.Sum(value => (value - mean) * (value - mean)) / (seeds.Length - 1) / seeds.Length);
            string errorText = double.IsNaN(error) ? "-" : error.ToString("F4", CultureInfo.InvariantCulture);
            output.WriteLine(string.Create(CultureInfo.InvariantCulture, $"| {name} | {mean:F4} | {errorText} | {seeds.Length} |"));
        }
    }
}
