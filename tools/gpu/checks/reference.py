"""Against PyTorch: the same model trained as the paper describes, at the same batch."""

import json
import os
import shutil
import tempfile

from .card import MemorySampler
from .memory import summary
from .inspection import Failed
from .speed import REFERENCE, require_torch

# The two draw other projections and round otherwise, so their losses part a little more with every step.
FIRST_LOSS, LAST_LOSS = 0.005, 0.1


def reference(inspection):
    require_torch(inspection)
    same_course(inspection)
    cases = [("7b", 256, 1)] if inspection.quick else [("7b", 256, 1), ("7b", 256, 8), ("1b", 256, 32)]
    for model, length, batch in [("demo", 16, 1)] if inspection.tiny else cases:
        with MemorySampler() as sampler:
            torch = run_torch(inspection, "--model", model, "--seq-len", str(length), "--batch-size", str(batch))
        torch.update(sampler.report())
        with MemorySampler() as sampler:
            ours = {**summary(inspection.profile(model, length, batch)), **sampler.report()}
        entry = {"torch": torch, "qapollo": ours, "ratio": ours["tokensPerSecond"] / torch["tokensPerSecond"]}
        inspection.record(f"{model} x{length}, batch {batch}", entry)
        inspection.say(f"{model}, batch {batch}: {ours['tokensPerSecond']:,.0f} against {torch['tokensPerSecond']:,.0f} tokens/s, {entry['ratio']:.2f} times")


def run_torch(inspection, *options):
    steps = ["--steps", "1", "--device", "cpu"] if inspection.tiny else ["--steps", "3" if inspection.quick else "10"]
    return inspection.run_json([inspection.python, f"{REFERENCE}/train.py", *steps, *options])


def same_course(inspection):
    """Both start from one checkpoint and see one batch again and again: a yardstick that computed something else would show."""
    length, batch, steps = (32, 2, 6) if inspection.tiny else (128, 4, 12)
    folder = tempfile.mkdtemp(prefix="qapollo-gpu-")
    try:
        text = os.path.join(folder, "text.txt")
        with open(inspection.options.text, "rb") as source, open(text, "wb") as target:
            target.write(source.read(length * batch))
        shape = ["--seq-len", str(length), "--batch-size", str(batch)]
        command = [*inspection.qapollo, "train", *shape, "--device", "cuda", "--data", text, "--cache-dir", f"{folder}/cache", "--plain"]
        command += ["--valid-share", "0", "--sample-tokens", "0", "--schedule", "constant", "--warmup-steps", "0"]
        inspection.run([*command, "--model", "demo", "--lr", "0", "--max-steps", "1", "--output-dir", f"{folder}/start"])
        start = f"{folder}/start/step-000001"
        inspection.run([*command, "--model", start, "--lr", "0.01", "--max-steps", str(steps), "--output-dir", f"{folder}/run"])
        with open(f"{folder}/run/metrics.jsonl", encoding="utf-8") as file:
            ours = [line["loss"] for line in map(json.loads, file) if "loss" in line]
        command = [inspection.python, f"{REFERENCE}/train.py", "--model", "demo", "--weights", start, "--text", text, "--lr", "0.01"]
        command += [*shape, "--steps", str(steps - 2), *(["--device", "cpu", "--dtype", "float32"] if inspection.tiny else [])]
        torch = inspection.run_json(command)["losses"]
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    inspection.record("sameCourse", {"qapollo": ours, "torch": torch})
    inspection.say(f"same course: qapollo {ours[0]:.4f} to {ours[-1]:.4f}, torch {torch[0]:.4f} to {torch[-1]:.4f}")
    if abs(ours[0] / torch[0] - 1) > FIRST_LOSS or abs(ours[-1] / torch[-1] - 1) > LAST_LOSS:
        raise Failed("the PyTorch script does not follow the same course: its speed says nothing")
