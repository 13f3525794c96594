"""The yardstick for the CUDA device: LLaMA pre-training in PyTorch as the paper describes Q-APOLLO-Mini.

INT8 group-128 weights with stochastic rounding in BF16 arithmetic, dequantized for each use; rank-1 APOLLO; every gradient
is consumed by its update as soon as it is complete (post-accumulate hooks); each layer recomputed in the backward pass.
Prints one JSON line: losses, tokens per second (median of the timed steps), and the peaks of torch's allocator.

Usage: python3 tools/reference/gpu/train.py --model 7b --batch-size 1 --seq-len 256
"""

import argparse
import json
import statistics
import sys
import time
from pathlib import Path

try:
    import torch
except ImportError as error:
    raise SystemExit(f"train.py: {sys.executable} cannot import PyTorch ({error}): install it (Debian: python3-torch), or use a Python that has it")

from int8 import Int8Matrix
from model import PRESETS, Llama
from updates import AdamW, ApolloMini, release


def attach_updates(model, rate):
    """Returns the updates to run after the backward pass, where this PyTorch has no post-accumulate hooks."""
    matrices = [module for module in model.modules() if isinstance(module, Int8Matrix)]
    shadows = {id(matrix.shadow) for matrix in matrices}
    updates = [(matrix.shadow, ApolloMini(matrix, index, rate)) for index, matrix in enumerate(matrices)]
    updates += [(p, AdamW(p, rate)) for p in model.parameters() if id(p) not in shadows]
    return [late for late in (release(parameter, update) for parameter, update in updates) if late]


def batches(options, vocabulary, device):
    """[batch, length + 1] token ids: random ones, or always those of a text as bytes, 256 at its end."""
    rows, length = options.batch_size, options.seq_len
    if not options.text:
        while True:
            yield torch.randint(0, vocabulary, (rows, length + 1), device=device)
    ids = torch.tensor([*Path(options.text).read_bytes(), 256][: rows * length + 1], device=device)
    while True:
        yield torch.stack([ids[row * length : (row + 1) * length + 1] for row in range(rows)])


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--model", choices=PRESETS, default="130m")
    parser.add_argument("--weights", help="a checkpoint of qapollo to start from")
    parser.add_argument("--text", help="train on this text's bytes, the same batch in every step")
    parser.add_argument("--batch-size", type=int, default=1)
    parser.add_argument("--seq-len", type=int, default=256)
    parser.add_argument("--steps", type=int, default=5, help="timed steps; two more go before them")
    parser.add_argument("--lr", type=float, default=0.005)
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--dtype", choices=("bfloat16", "float32"), default="bfloat16")
    parser.add_argument("--no-recompute", action="store_true", help="keep all activations")
    options = parser.parse_args()
    torch.manual_seed(1)
    device = torch.device(options.device)
    shape = PRESETS[options.model]
    model = Llama(shape, options.seq_len, getattr(torch, options.dtype), device, not options.no_recompute)
    model.load(options.weights) if options.weights else model.initialize()
    late = attach_updates(model, options.lr)

    losses, times = [], []
    source = batches(options, shape[-1], device)
    for step in range(options.steps + 2):
        start = time.perf_counter()
        tokens = next(source)
        loss = model(tokens[:, :-1], tokens[:, 1:])
        loss.backward()
        for update in late:
            update()
        losses.append(loss.item())
        if device.type == "cuda":
            torch.cuda.synchronize()
        if step >= 2:
            times.append(time.perf_counter() - start)

    result = {
        "tokensPerSecond": round(options.batch_size * options.seq_len / statistics.median(times), 1),
        "losses": [round(loss, 5) for loss in losses],
        "torch": torch.__version__,
    }
    if device.type == "cuda":
        result["peakAllocatedBytes"] = torch.cuda.max_memory_allocated()
        result["peakReservedBytes"] = torch.cuda.max_memory_reserved()
    print(json.dumps(result))


if __name__ == "__main__":
    main()
