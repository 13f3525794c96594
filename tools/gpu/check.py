#!/usr/bin/env python3
"""Checks and measures qapollo on a machine with an NVIDIA GPU; needs no .NET. Run from the repository's root, after
tools/gpu/publish.sh put the programs into artifacts/gpu. Prints a table and writes one JSON file: see README.md here.
"""

import argparse
import datetime
import os
import platform
import re
import shlex
import subprocess
import sys
from pathlib import Path

from checks import card, correctness, memory, reference, sanitizer, speed, targets
from checks.inspection import Failed, Inspection, Unavailable

# In order; the seconds that each may take, quick and whole.
SECTIONS = {
    "doctor": (correctness.doctor, 30, 60),
    "operations": (correctness.operations, 120, 300),
    "contract": (correctness.contract, 90, 900),
    "parity": (correctness.parity, 30, 60),
    "train": (correctness.train, 40, 120),
    "memory": (memory.memory, 120, 600),
    "peaks": (speed.peaks, 30, 60),
    "bench": (speed.bench, 90, 300),
    "costs": (speed.costs, 30, 60),
    "speed": (speed.speed, 80, 900),
    "reference": (reference.reference, 100, 900),
    "gemm": (speed.gemm, 90, 300),
    "graphs": (speed.graphs, 60, 120),
    "sanitizer": (sanitizer.sanitizer, 120, 1800),
}
QUICK_SECONDS, WHOLE_SECONDS = 570, 7200


def parse():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", default=",".join(SECTIONS), help="sections, separated by commas; all by default")
    parser.add_argument("--quick", action="store_true", help="fewer cases; ends within ten minutes")
    parser.add_argument("--tiny", action="store_true", help="smallest sizes: to try the script without a GPU, on the emulator")
    parser.add_argument("--time-limit", type=float, help=f"seconds for everything; {QUICK_SECONDS} with --quick, else {WHOLE_SECONDS}")
    parser.add_argument("--output", help="the result file; default docs/results/<date>-<card>.json")
    parser.add_argument("--qapollo", default="artifacts/gpu/qapollo", help="the program, as a command")
    parser.add_argument("--check", default="artifacts/gpu/qapollo-check", help="the check program, as a command")
    parser.add_argument("--text", default="artifacts/gpu/text.txt", help="a text to train on")
    parser.add_argument("--python", default=sys.executable, help="a Python with PyTorch, for the comparison")
    options = parser.parse_args()
    unknown = [name for name in options.only.split(",") if name not in SECTIONS]
    if unknown:
        parser.error(f"--only: there is no section {', '.join(unknown)}; there are {', '.join(SECTIONS)}")
    options.time_limit = options.time_limit or (QUICK_SECONDS if options.quick else WHOLE_SECONDS)
    return options


def commit():
    """Of the working tree, or of the build where the repository did not come along."""
    try:
        command = ["git", "rev-parse", "HEAD"]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.SubprocessError):
        built = Path("artifacts/gpu/commit.txt")
        return built.read_text(encoding="utf-8").strip() if built.exists() else None


def facts(options, gpu):
    return {
        "date": datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds"),
        "gpu": gpu,
        "host": {"system": platform.platform(), "processor": platform.machine()},
        "command": shlex.join(sys.argv),
        "tiny": options.tiny,
        "commit": commit(),
    }


def default_output(options, gpu):
    if options.tiny or not gpu:
        return "artifacts/gpu-check.json"
    name = re.sub(r"[^a-z0-9]+", "-", gpu["name"].lower()).strip("-")
    return f"docs/results/{datetime.date.today()}-{name}{'-quick' if options.quick else ''}.json"


def main():
    options = parse()
    gpu = card.describe()
    options.output = options.output or default_output(options, gpu)
    for program in ("artifacts/gpu/qapollo", "artifacts/gpu/qapollo-check"):
        if os.path.exists(program):
            # A copy to another machine may have lost it.
            os.chmod(program, 0o755)
    inspection = Inspection(options, facts(options, gpu))
    print(f"card: {gpu['name'] + ', driver ' + gpu['driver_version'] if gpu else 'none that nvidia-smi shows'}; result: {options.output}")
    for name, (section, quick_seconds, whole_seconds) in SECTIONS.items():
        if name not in options.only.split(","):
            continue
        inspection.begin(name, quick_seconds if options.quick else whole_seconds)
        if inspection.is_over():
            inspection.finish("skipped", "the time limit of the whole run is reached")
            continue
        try:
            section(inspection)
            inspection.finish("done")
        except Unavailable as reason:
            inspection.finish("not available", str(reason))
        except Failed as failure:
            inspection.finish("failed", str(failure))
        except Exception as error:  # noqa: BLE001 - one section's fault, whatever it is, must not cost the others
            inspection.finish("failed", f"{type(error).__name__}: {error}")
    targets.judge(inspection)
    print("\n".join(targets.table(inspection.results["targets"])))
    failed = [name for name, entry in inspection.results["sections"].items() if entry["status"] == "failed"]
    print(f"wrote {options.output}" + (f"; failed: {', '.join(failed)}" if failed else ""))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
