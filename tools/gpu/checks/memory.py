"""LLaMA-7B on a card that was made small: it must run in what is left, and take what the plan says."""

import shutil
import tempfile

from .card import MemorySampler, only_left
from .inspection import Failed, Unavailable

# left on the card, tokens per sequence, what the plan needs besides to fit
CASES = [("12GB", 1024, []), ("8GiB", 256, []), ("12GB", 256, []), ("8GiB", 1024, ["--head-weights", "int8"])]
TINY_CASES = [("4GiB", 32, ["--head-weights", "int8"])]


def memory(inspection):
    model = "demo" if inspection.tiny else "7b"
    failures = []
    for size, length, more in TINY_CASES if inspection.tiny else CASES:
        name = f"{model} x{length} in {size}"
        try:
            with only_left(inspection, size) as held, MemorySampler() as sampler:
                profile = inspection.profile(model, length, 1, "--budget", size, *more)
            entry = {"left": held["freeBytes"], **summary(profile), **sampler.report()}
            inspection.say(
                f"{name}: planned {entry['plannedArenaBytes']:,}, driver {entry['driverArenaBytes']:,}, peak {entry['peakDriverBytes']}, "
                f"{entry['tokensPerSecond']:.0f} tokens/s"
            )
        except (Failed, Unavailable) as failure:
            entry = {"note": str(failure)}
            failures.append(f"{name}: {failure}")
            inspection.say(failures[-1])
        inspection.record(name, entry)
    if not inspection.quick:
        train(inspection, model)
    if failures:
        raise Failed("; ".join(failures))


def summary(profile):
    """Planned and measured bytes of the one allocation, the driver's context apart."""
    planned = profile["measuredDevice"]["arena"]["planned"]
    return {
        "plannedArenaBytes": planned,
        "driverArenaBytes": profile.get("driverArenaBytes"),
        "contextAndOthersBytes": profile.get("driverBeforeBytes"),
        "plannedTotalBytes": profile["plan"]["device"]["totalBytes"],
        "tokensPerSecond": profile["tokensPerSecond"],
        "flopsPerToken": profile["flopsPerToken"],
        "ownMatmulFlops": profile["matmulPeakFlops"],
        "managedBytesPerStep": profile["managedBytesPerStep"],
    }


def train(inspection, model):
    """The same from a text to a checkpoint on the disk."""
    folder = tempfile.mkdtemp(prefix="qapollo-gpu-")
    try:
        command = [*inspection.qapollo, "train", "--model", model, "--device", "cuda", "--seq-len", "256", "--batch-size", "1", "--budget", "12GB"]
        command += ["--vocab-size", "320" if inspection.tiny else "32000"]
        command += ["--data", inspection.options.text, "--cache-dir", f"{folder}/cache", "--valid-share", "0", "--sample-tokens", "0"]
        with only_left(inspection, "12GB"), MemorySampler() as sampler:
            output = inspection.run([*command, "--max-steps", "5", "--plain", "--output-dir", f"{folder}/run"])
        inspection.record("train in 12GB", {"output": output.splitlines()[-6:], **sampler.report()})
    finally:
        shutil.rmtree(folder, ignore_errors=True)
