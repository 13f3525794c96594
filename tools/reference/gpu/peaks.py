"""What a card does at best, by cuBLAS through PyTorch: BF16 matrix product and device-to-device copy. Prints one JSON line.

Random data: products of zeros run faster, since they take less power. Median of the timed runs, timed by events.
"""

import argparse
import json
import statistics
import sys
import time

try:
    import torch
except ImportError as error:
    raise SystemExit(f"peaks.py: {sys.executable} cannot import PyTorch ({error}): install it (Debian: python3-torch), or use a Python that has it")


def seconds(device, work, runs):
    def timed():
        if device.type != "cuda":
            start = time.perf_counter()
            work()
            return time.perf_counter() - start
        start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        start.record()
        work()
        end.record()
        end.synchronize()
        return start.elapsed_time(end) / 1000

    for _ in range(3):
        work()
    return statistics.median(timed() for _ in range(runs))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--size", type=int, default=8192, help="rows and columns of the matrices")
    parser.add_argument("--copy-bytes", type=int, default=1 << 30)
    parser.add_argument("--runs", type=int, default=10)
    options = parser.parse_args()
    device = torch.device(options.device)
    a, b = (torch.randn(options.size, options.size, device=device).to(torch.bfloat16) for _ in range(2))
    product = torch.empty_like(a)
    source = torch.randint(0, 255, (options.copy_bytes,), dtype=torch.uint8, device=device)
    target = torch.empty_like(source)
    multiply = seconds(device, lambda: torch.matmul(a, b, out=product), options.runs)
    copy = seconds(device, lambda: target.copy_(source), options.runs)
    print(json.dumps({
        "matrixFlops": 2 * options.size**3 / multiply,
        "copyBytesPerSecond": 2 * options.copy_bytes / copy,
        "torch": torch.__version__,
    }))


if __name__ == "__main__":
    main()
