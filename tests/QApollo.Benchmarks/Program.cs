using System.Globalization;
using QApollo.Benchmarks;
using QApollo.Cpu;
using QApollo.Cpu.Gemm;

CultureInfo.CurrentCulture = CultureInfo.InvariantCulture;
string filter = args.Length > 0 ? args[0] : "";
int threads = args.Length > 1 ? int.Parse(args[1], CultureInfo.InvariantCulture) : Environment.ProcessorCount;
Microkernel kernel = Microkernel.Best;
Stopwatches.ProcessorTime = threads == 1;
using var device = new CpuDevice(threads, kernel);
var bench = new Bench(device, filter);
Console.WriteLine($"{threads} threads, microkernel {kernel.Rows}x{kernel.Columns}");
bench.MeasurePeaks(threads);
Products.Run(bench);
Attentions.Run(bench);
Passes.Run(bench);
Updates.Run(bench);
