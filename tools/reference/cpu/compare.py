"""qapollo against PyTorch on the CPU: same model, batch, sequence length and threads, in alternating runs.

Usage: python3 tools/reference/cpu/compare.py [--runs 3] [--models demo 9m 20m]
Needs a Python with PyTorch (Debian: python3-torch with libopenblas0-pthread) and a Release build of the command line. Prints a Markdown table of
median tokens per second, their ratio, and peak resident memory.
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


def torch_environment():
    """Lets OpenBLAS use the processor's vectors: Debian's does not know newer processors and then takes SSE kernels."""
    flags = re.search("^flags.*$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    known = {"avx512f": "SkylakeX", "avx2": "Haswell"}
    kernel = next((name for flag, name in known.items() if flags and f" {flag}" in flags[0]), None)
    return {"OPENBLAS_CORETYPE": kernel, **os.environ} if kernel else dict(os.environ)


def run_torch(model, optimizer, options):
    command = [sys.executable, str(REFERENCE), "--model", model, "--optimizer", optimizer, "--steps", str(options.steps)]
    command += ["--batch-size", str(options.batch_size), "--threads", str(options.threads)]
    result = json.loads(subprocess.run(command, check=True, capture_output=True, text=True, env=torch_environment()).stdout)
    return result["tokensPerSecond"], result["peakBytes"]


def run_qapollo(model, optimizer, options):
    with tempfile.TemporaryDirectory() as folder:
        command = ["dotnet", str(QAPOLLO), "train", "--model", model, "--optimizer", optimizer, "--max-steps", str(options.steps + 2)]
        command += ["--vocab-size", str(VOCABULARY.get(model, 32_000))]
        command += ["--batch-size", str(options.batch_size), "--seq-len", "256", "--threads", str(options.threads)]
        command += ["--data", options.data, "--cache-dir", options.cache, "--eval-every", "0", "--valid-share", "0"]
        command += ["--output-dir", f"{folder}/run"]
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        _, status, usage = os.wait4(process.pid, 0)
        if status != 0:
            raise SystemExit(f"qapollo failed: {' '.join(command)}")
        lines = [json.loads(line) for line in open(f"{folder}/run/metrics.jsonl", encoding="utf-8")]
        rates = [line["tokensPerSecond"] for line in lines if "loss" in line][2:]
        return statistics.median(rates), usage.ru_maxrss * 1024


def require():
    """One line instead of a traceback for what is missing."""
    try:
        importlib.import_module("torch")
    except ImportError as error:
        raise SystemExit(f"compare.py: {sys.executable} cannot import PyTorch ({error}): install it (Debian: python3-torch), or use a Python that has it")
    if not QAPOLLO.exists():
        raise SystemExit(f"compare.py: {QAPOLLO} is not there: dotnet build src/QApollo.Cli -c Release")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--models", nargs="+", default=["demo", "9m", "20m"])
    parser.add_argument("--optimizers", nargs="+", default=["apollo-mini", "adamw"])
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--steps", type=int, default=8)
    parser.add_argument("--batch-size", type=int, default=8)
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--data", help="text for qapollo; default: this repository's own")
    options = parser.parse_args()
    require()
    options.data = options.data or str(ROOT / "README.md")
    with tempfile.TemporaryDirectory() as cache:
        options.cache = cache
        print(f"{options.threads} threads, sequence 256, batch {options.batch_size}, OpenBLAS kernels {torch_environment().get('OPENBLAS_CORETYPE', 'as detected')}\n")
        print("| model | optimizer | PyTorch tokens/s | qapollo tokens/s | ratio | PyTorch peak MB | qapollo peak MB |")
        print("| --- | --- | --- | --- | --- | --- | --- |")
        for model in options.models:
            for optimizer in options.optimizers:
                torch, ours = [], []
                for _ in range(options.runs):
                    torch.append(run_torch(model, optimizer, options))
                    ours.append(run_qapollo(model, optimizer, options))
                ratio = statistics.median(b[0] / a[0] for a, b in zip(torch, ours))
                columns = [statistics.median(x) for x in (*zip(*torch), *zip(*ours))]
                print(
                    f"| {model} | {optimizer} | {columns[0]:,.0f} | {columns[2]:,.0f} | {ratio:.2f} "
                    f"| {columns[1] / 1e6:,.0f} | {columns[3] / 1e6:,.0f} |",
                    flush=True,
                )


if __name__ == "__main__":
    main()
