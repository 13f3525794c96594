"""Is what the card computes right? Each section prints and records counts, and fails when one comparison does."""

import concurrent.futures
import json
import os
import shutil
import tempfile

from .inspection import Failed

CONTRACTS = [
    "Linear", "Attention", "Update", "Apollo", "Adam", "Quantize", "Embedding", "Norm", "SwiGlu", "CrossEntropy", "Rotary",
    "Reduction", "Normal", "Memory",
]


def doctor(inspection):
    report = inspection.run_json([*inspection.qapollo, "doctor", "--json"], accept=(0, 1))
    inspection.say(f"sensors: {sensors_of(report) or 'none are told'}")
    inspection.record("report", report)
    if report.get("healthy") is False:
        raise Failed("the doctor's report says that something does not work")


def sensors_of(report):
    """What the management library tells of the first card: degrees Celsius, watts, MHz, joules."""
    names = ("temperature", "power", "clock", "memoryClock", "energy")
    devices = [device for device in report.get("devices", []) if device.get("device", "").startswith("cuda")]
    return ", ".join(f"{name} {device[name]}" for device in devices[:1] for name in names if name in device)


def operations(inspection):
    """Every kernel once. The first time, the driver compiles the PTX."""
    first = inspection.run_json([*inspection.check, "operations"])
    second = inspection.run_json([*inspection.check, "operations"])
    inspection.record("first", first)
    inspection.record("again", second)
    inspection.say(f"{first['operations']} operations, {first['seconds']} s with compiling, {second['seconds']} s without")


def contract(inspection):
    """A process for each contract: a fault of one leaves the others their context."""
    random = ["--per-theory", "1", "--random", "1", "--largest", "40"] if inspection.tiny else ["--random", "5" if inspection.quick else "40"]
    groups = [["--only", name] for name in CONTRACTS]
    if inspection.tiny:
        groups = [[]]

    def run(group):
        return inspection.run_json([*inspection.check, "contract", *group, *random], accept=(0, 1))

    cases = failed = 0
    with concurrent.futures.ThreadPoolExecutor(max_workers=min(6, os.cpu_count() or 1)) as pool:
        jobs = {pool.submit(run, group): group[-1] if group else "all" for group in groups}
        for job in concurrent.futures.as_completed(jobs):
            try:
                result = job.result()
            except Failed as failure:
                result = {"cases": 0, "failed": 1, "failures": [{"case": jobs[job], "message": str(failure)}]}
            cases += result["cases"]
            failed += result["failed"]
            inspection.record(jobs[job], result)
            inspection.say(f"{jobs[job]}: {result['cases']} cases, {result['failed']} failed")
    inspection.record("cases", cases)
    inspection.record("failed", failed)
    if failed:
        raise Failed(f"{failed} of {cases} cases differ from their oracle")


def parity(inspection):
    only = ["--only", "tiny ApolloMini x1"] if inspection.tiny else []
    result = inspection.run_json([*inspection.check, "parity", *only], accept=(0, 1))
    inspection.record("result", result)
    if result["failed"]:
        raise Failed("; ".join(result["failures"]))
    inspection.say(f"{result['courses']} courses within {result['worstLossDifference']:.1e} of the CPU's losses")


def train(inspection):
    """The program as its users run it: train, stop, resume, score, generate. The resumed run must end as the whole one did."""
    steps, length, batch = (2, 16, 1) if inspection.tiny else (40, 256, 8)
    shape = ["--model", "demo", "--seq-len", str(length), "--batch-size", str(batch)]
    folder = tempfile.mkdtemp(prefix="qapollo-gpu-")
    try:
        common = [*inspection.qapollo, "train", *shape, "--device", "cuda", "--data", inspection.options.text, "--cache-dir", f"{folder}/cache"]
        common += ["--plain", "--sample-tokens", "0", "--valid-tokens", str(length * batch), "--schedule", "constant", "--eval-every", "0"]
        inspection.run([*common, "--output-dir", f"{folder}/whole", "--max-steps", str(steps)])
        inspection.run([*common, "--output-dir", f"{folder}/parts", "--max-steps", str(steps), "--save-every", str(steps // 2), "--keep", "0"])
        shutil.rmtree(f"{folder}/parts/step-{steps:06d}")
        inspection.run([*inspection.qapollo, "train", "--resume", "--plain", "--output-dir", f"{folder}/parts"])
        losses = [last_loss(f"{folder}/{run}/metrics.jsonl") for run in ("whole", "parts")]
        same = same_files(*(f"{folder}/{run}/step-{steps:06d}/model.safetensors" for run in ("whole", "parts")))
        text = inspection.run([
            *inspection.qapollo, "generate", "--checkpoint", f"{folder}/whole", "--device", "cuda", "--prompt", "The", "--max-tokens", "8",
        ])
        inspection.record("steps", steps)
        inspection.record("losses", losses)
        inspection.record("resumedEqualsWhole", same)
        inspection.record("generated", text[:200])
        if not same:
            raise Failed("the resumed run ended with other weights than the whole one")
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def last_loss(path):
    with open(path, encoding="utf-8") as file:
        return [line["loss"] for line in map(json.loads, file) if "loss" in line][-1]


def same_files(first, second):
    with open(first, "rb") as a, open(second, "rb") as b:
        return a.read() == b.read()
