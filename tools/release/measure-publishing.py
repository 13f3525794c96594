#!/usr/bin/env python3
"""
Publishes the program for this machine in the ways that docs/release.md compares, and prints its table: size of the archive, and what start-up and
training cost in processor seconds, which other programs on the machine disturb less than the clock. Usage: measure-publishing.py [ROUNDS]
(5: medians of so many runs, in which the ways take turns). NativeAOT needs clang. Nothing stays but intermediate files below artifacts/.
"""
import os
import pathlib
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
SYSTEM = {"x86_64": "linux-x64", "aarch64": "linux-arm64"}[platform.machine()]
TRIMMED = ["--self-contained", "-p:PublishTrimmed=true"]
WAYS = {
    "trimmed": TRIMMED,
    "trimmed, all of it compiled ahead": [*TRIMMED, "-p:PublishReadyToRun=true", "-p:CompileAllAhead=true"],
    "trimmed, compiled ahead in part (what is published)": [*TRIMMED, "-p:PublishReadyToRun=true"],
    # Packages that were not written for it are told as warnings.
    "NativeAOT": ["-p:PublishAot=true", "-p:TreatWarningsAsErrors=false"],
}
MICRO_BATCH, SEQUENCE, FEW, MANY = 2, 256, 5, 45


def publish(folder: pathlib.Path, way: str) -> float:
    """Megabytes of the archive."""
    # Ways that share intermediate files would take what another one left.
    artifacts = ROOT / "artifacts" / "publishing" / str(list(WAYS).index(way))
    subprocess.run(
        ["dotnet", "publish", ROOT / "src/QApollo.Cli", "-c", "Release", "-r", SYSTEM, "--artifacts-path", artifacts, "-o", folder, "--nologo", "-v", "quiet",
         "-p:RunAnalyzers=false", "-p:DebugType=none", "-p:StripSymbols=true", "-p:GenerateDocumentationFile=false", *WAYS[way]],
        check=True, stdout=sys.stderr)
    for symbols in folder.glob("*.dbg"):
        symbols.unlink()
    archive = folder.with_suffix(".tar.gz")
    subprocess.run(f'tar -C "{folder}" --sort=name --owner=0 --group=0 --numeric-owner -cf - . | gzip -9n >"{archive}"', shell=True, check=True)
    return archive.stat().st_size / 1e6


def processor_seconds(folder: pathlib.Path, *arguments: str) -> float:
    """Of one call, user and system."""
    process = subprocess.Popen([folder / "qapollo", *arguments], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, cwd=folder)
    output = process.stdout.read()
    _, status, usage = os.wait4(process.pid, 0)
    if status != 0:
        sys.exit(f"{folder.name}: qapollo {' '.join(arguments)}: {output.decode()}")
    return usage.ru_utime + usage.ru_stime


def train(folder: pathlib.Path, steps: int) -> float:
    run = folder / "run"
    seconds = processor_seconds(
        folder, "train", "--device", "cpu", "--threads", "1", "--batch-size", str(MICRO_BATCH), "--seq-len", str(SEQUENCE), "--max-steps", str(steps),
        "--output-dir", str(run), "--quiet")
    shutil.rmtree(run)
    return seconds


def main() -> None:
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 5
    with tempfile.TemporaryDirectory() as top:
        folders = {way: pathlib.Path(top, str(number)) for number, way in enumerate(WAYS)}
        sizes = {way: publish(folder, way) for way, folder in folders.items()}
        for folder in folders.values():
            # The text is read and tokenized once, and the runs find it.
            train(folder, 1)
        seconds: dict[str, list[tuple[float, float, float, float]]] = {way: [] for way in WAYS}
        for _ in range(rounds):
            for way, folder in folders.items():
                seconds[way].append((
                    processor_seconds(folder, "version"), processor_seconds(folder, "plan", "--model", "7b"), train(folder, FEW), train(folder, MANY)))
    print(f"| published | archive, MB | `version` | `plan --model 7b` | tokens per processor second, demo model | a run of {FEW} steps |\n| --- | --- | --- | --- | --- | --- |")
    for way, size in sizes.items():
        version, plan, few, _ = (statistics.median(column) for column in zip(*seconds[way]))
        # What the steps beyond the few cost is training alone, without start-up.
        speed = (MANY - FEW) * MICRO_BATCH * SEQUENCE / statistics.median(many - few for _, _, few, many in seconds[way])
        print(f"| {way} | {size:.1f} | {version:.3f} | {plan:.2f} | {speed:,.0f} | {few:.2f} |")


main()
