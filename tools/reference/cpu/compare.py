"""qapollo against PyTorch on the CPU: same model, batch, sequence length and threads, in alternating runs.

Usage: python3 tools/reference/cpu/compare.py [--peer pytorch|torchsharp] [--runs 3] [--models demo 9m 20m]
Needs a Release build of the command line and the peer: a Python with PyTorch (Debian: python3-torch with libopenblas0-pthread), or TorchSharp with
libtorch 2.10 (TorchSharp/ beside this file, which is built here; AdamW only). Prints a Markdown table of median tokens per second, their ratio, and peak
resident memory.
"""

import argparse
import importlib
import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
QAPOLLO = ROOT / "src/QApollo.Cli/bin/Release/net10.0/qapollo.dll"
VOCABULARY = {"demo": 320}
REFERENCE = Path(__file__).with_name("llama.py")
TORCHSHARP = Path(__file__).with_name("TorchSharp")
ARTIFACTS = ROOT / "artifacts/torch"


def torch_environment():
    """Lets OpenBLAS use the processor's vectors: Debian's does not know newer processors and then takes SSE kernels."""
    flags = re.search("^flags.*$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    known = {"avx512f": "SkylakeX", "avx2": "Haswell"}
    kernel = next((name for flag, name in known.items() if flags and f" {flag}" in flags[0]), None)
    return {"OPENBLAS_CORETYPE": kernel, **os.environ} if kernel else dict(os.environ)


def measured(command, environment=None):
    """What a program prints, and its usage of resources; a program that fails ends all."""
    process = subprocess.Popen(command, stdout=subprocess.PIPE, env=environment)
    output = process.stdout.read()
    _, status, usage = os.wait4(process.pid, 0)
    if status != 0:
        raise SystemExit(f"compare.py: failed: {' '.join(command)}")
    return output, usage


def run_torch(model, optimizer, steps, options):
    command = [sys.executable, str(REFERENCE), "--model", model, "--optimizer", optimizer, "--steps", str(steps)]
    command += ["--batch-size", str(options.batch_size), "--threads", str(options.threads)]
    output, usage = measured(command, torch_environment())
    result = json.loads(output)
    return result["tokensPerSecond"], result["peakBytes"], usage.ru_utime + usage.ru_stime


def build_torchsharp():
    """Builds the program; returns the command that starts it, under a C++ runtime that is new enough."""
    host = subprocess.run([ROOT / "tools/torch/host.sh", ROOT / "artifacts/torch-runtime"], capture_output=True, text=True)
    if host.returncode != 0:
        raise SystemExit(f"compare.py: {host.stderr.strip().splitlines()[-1]}")
    subprocess.run(
        ["dotnet", "build", TORCHSHARP, "-c", "Release", "--nologo", "-v", "quiet", "--artifacts-path", ARTIFACTS], check=True, stdout=sys.stderr)
    return [host.stdout.strip(), str(ARTIFACTS / "bin/TorchSharpLlama/release/TorchSharpLlama.dll")]


def run_torchsharp(model, optimizer, steps, options):
    output, usage = measured([*options.torchsharp, model, str(steps), str(options.batch_size), str(options.threads)])
    result = json.loads(output)
    return result["tokensPerSecond"], result["peakBytes"], usage.ru_utime + usage.ru_stime


def run_qapollo(model, optimizer, steps, options):
    with tempfile.TemporaryDirectory() as folder:
        command = ["dotnet", str(QAPOLLO), "train", "--model", model, "--optimizer", optimizer, "--max-steps", str(steps + 2)]
        command += ["--vocab-size", str(VOCABULARY.get(model, 32_000))]
        command += ["--batch-size", str(options.batch_size), "--seq-len", "256", "--threads", str(options.threads)]
        command += ["--data", options.data, "--cache-dir", options.cache, "--eval-every", "0", "--valid-share", "0"]
        command += ["--output-dir", f"{folder}/run"]
        _, usage = measured(command)
        lines = [json.loads(line) for line in open(f"{folder}/run/metrics.jsonl", encoding="utf-8")]
        rates = [line["tokensPerSecond"] for line in lines if "loss" in line][2:]
        return statistics.median(rates), usage.ru_maxrss * 1024, usage.ru_utime + usage.ru_stime


def measure(run, model, optimizer, options):
    """Tokens per second and peak memory. In processor time: that of a long run less that of a short one, so that the start does not count."""
    rate, peak, seconds = run(model, optimizer, options.steps, options)
    if options.processor_time:
        longer = run(model, optimizer, 3 * options.steps, options)
        rate, peak = 2 * options.steps * options.batch_size * 256 / (longer[2] - seconds), longer[1]
    return rate, peak


def require(peer):
    """One line instead of a traceback for what is missing."""
    if peer == "pytorch":
        try:
            importlib.import_module("torch")
        except ImportError as error:
            raise SystemExit(f"compare.py: {sys.executable} cannot import PyTorch ({error}): install it (Debian: python3-torch), or use a Python that has it")
    if not QAPOLLO.exists():
        raise SystemExit(f"compare.py: {QAPOLLO} is not there: dotnet build src/QApollo.Cli -c Release")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--models", nargs="+", default=["demo", "9m", "20m"])
    parser.add_argument("--peer", choices=("pytorch", "torchsharp"), default="pytorch")
    parser.add_argument("--optimizers", nargs="+", help="default: apollo-mini adamw; adamw for torchsharp")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--steps", type=int, default=8)
    parser.add_argument("--batch-size", type=int, default=8)
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--processor-time", action="store_true", help="tokens per second of processor time, for a machine that others use too")
    parser.add_argument("--data", help="text for qapollo; default: this repository's own")
    options = parser.parse_args()
    require(options.peer)
    is_torchsharp = options.peer == "torchsharp"
    options.optimizers = options.optimizers or (["adamw"] if is_torchsharp else ["apollo-mini", "adamw"])
    if is_torchsharp and options.optimizers != ["adamw"]:
        raise SystemExit("compare.py: the TorchSharp program has AdamW only")
    options.torchsharp = build_torchsharp() if is_torchsharp else None
    run_peer, name = (run_torchsharp, "libtorch 2.10") if is_torchsharp else (run_torch, "PyTorch")
    options.data = options.data or str(ROOT / "README.md")
    with tempfile.TemporaryDirectory() as cache:
        options.cache = cache
        kernels = "" if is_torchsharp else f", OpenBLAS kernels {torch_environment().get('OPENBLAS_CORETYPE', 'as detected')}"
        clock = ", processor time" if options.processor_time else ""
        print(f"{options.threads} threads{clock}, sequence 256, batch {options.batch_size}{kernels}\n")
        print(f"| model | optimizer | {name} tokens/s | qapollo tokens/s | ratio | {name} peak MB | qapollo peak MB |")
        print("| --- | --- | --- | --- | --- | --- | --- |")
        for model in options.models:
            for optimizer in options.optimizers:
                torch, ours = [], []
                for _ in range(options.runs):
                    torch.append(measure(run_peer, model, optimizer, options))
                    ours.append(measure(run_qapollo, model, optimizer, options))
                ratio = statistics.median(b[0] / a[0] for a, b in zip(torch, ours))
                columns = [statistics.median(x) for x in (*zip(*torch), *zip(*ours))]
                print(
                    f"| {model} | {optimizer} | {columns[0]:,.0f} | {columns[2]:,.0f} | {ratio:.2f} "
                    f"| {columns[1] / 1e6:,.0f} | {columns[3] / 1e6:,.0f} |",
                    flush=True,
                )


if __name__ == "__main__":
    main()
