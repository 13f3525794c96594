"""Against PyTorch: the same model trained as the paper describes, at the same batch."""

import json
import os
import shutil
import tempfile

from .card import MemorySampler
from .memory import summary
from .session import Failed
from .speed import REFERENCE, require_torch

# The two draw other projections and round otherwise, so their losses part a little more with every step.
FIRST_LOSS, LAST_LOSS = 0.005, 0.1


def reference(session):
    require_torch(session)
    same_course(session)
    cases = [("7b", 256, 1)] if session.quick else [("7b", 256, 1), ("7b", 256, 8), ("1b", 256, 32)]
    for model, length, batch in [("demo", 16, 1)] if session.tiny else cases:
        with MemorySampler() as sampler:
            torch = run_torch(session, "--model", model, "--seq-len", str(length), "--batch-size", str(batch))
        torch.update(sampler.report())
        with MemorySampler() as sampler:
            ours = {**summary(session.profile(model, length, batch)), **sampler.report()}
        entry = {"torch": torch, "qapollo": ours, "ratio": ours["tokensPerSecond"] / torch["tokensPerSecond"]}
        session.record(f"{model} x{length}, batch {batch}", entry)
        session.say(f"{model}, batch {batch}: {ours['tokensPerSecond']:,.0f} against {torch['tokensPerSecond']:,.0f} tokens/s, {entry['ratio']:.2f} times")


def run_torch(session, *options):
    steps = ["--steps", "1", "--device", "cpu"] if session.tiny else ["--steps", "3" if session.quick else "10"]
    return session.run_json([session.python, f"{REFERENCE}/train.py", *steps, *options])


def same_course(session):
    """Both start from one checkpoint and see one batch again and again: a yardstick that computed something else would show."""
    length, batch, steps = (32, 2, 6) if session.tiny else (128, 4, 12)
    folder = tempfile.mkdtemp(prefix="qapollo-gpu-")
    try:
        text = os.path.join(folder, "text.txt")
        with open(session.options.text, "rb") as source, open(text, "wb") as target:
            target.write(source.read(length * batch))
        shape = ["--seq-len", str(length), "--batch-size", str(batch)]
        command = [*session.qapollo, "train", *shape, "--device", "cuda", "--data", text, "--cache-dir", f"{folder}/cache", "--plain"]
        command += ["--valid-share", "0", "--sample-tokens", "0", "--schedule", "constant", "--warmup-steps", "0"]
        session.run([*command, "--model", "demo", "--lr", "0", "--max-steps", "1", "--output-dir", f"{folder}/start"])
        start = f"{folder}/start/step-000001"
        session.run([*command, "--model", start, "--lr", "0.01", "--max-steps", str(steps), "--output-dir", f"{folder}/run"])
        with open(f"{folder}/run/metrics.jsonl", encoding="utf-8") as file:
            ours = [line["loss"] for line in map(json.loads, file) if "loss" in line]
        command = [session.python, f"{REFERENCE}/train.py", "--model", "demo", "--weights", start, "--text", text, "--lr", "0.01"]
        command += [*shape, "--steps", str(steps - 2), *(["--device", "cpu", "--dtype", "float32"] if session.tiny else [])]
        torch = session.run_json(command)["losses"]
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    session.record("sameCourse", {"qapollo": ours, "torch": torch})
    session.say(f"same course: qapollo {ours[0]:.4f} to {ours[-1]:.4f}, torch {torch[0]:.4f} to {torch[-1]:.4f}")
    if abs(ours[0] / torch[0] - 1) > FIRST_LOSS or abs(ours[-1] / torch[-1] - 1) > LAST_LOSS:
        raise Failed("the PyTorch script does not follow the same course: its speed says nothing")
