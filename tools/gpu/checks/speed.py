"""How fast is it, and against what the card can do?"""

from .card import MemorySampler
from .memory import summary
from .inspection import Failed, Unavailable

REFERENCE = "tools/reference/gpu"


def peaks(inspection):
    """Matrix peak and copy bandwidth through PyTorch, which uses cuBLAS."""
    tiny = ["--size", "256", "--copy-bytes", "1000000", "--runs", "3", "--device", "cpu"] if inspection.tiny else []
    require_torch(inspection)
    result = inspection.run_json([inspection.python, f"{REFERENCE}/peaks.py", *tiny])
    inspection.record("torch", result)
    inspection.say(f"matrix {result['matrixFlops'] / 1e12:.1f} TFLOP/s, copy {result['copyBytesPerSecond'] / 1e9:.0f} GB/s")


def bench(inspection):
    models = ["demo"] if inspection.tiny else ["7b", "1b", "130m"]
    for model in models:
        inspection.record(model, run_bench(inspection, model))


def run_bench(inspection, model, *more):
    small = ["--seq-len", "16", "--batch-size", "1", "--steps", "1"] if inspection.tiny else []
    return inspection.run_json([*inspection.qapollo, "bench", "--device", "cuda", "--model", model, "--json", *small, *more])


def costs(inspection):
    """The operations of a 7B step beside what was predicted from counts of the PTX."""
    result = inspection.run_json([*inspection.check, "costs", *(["--slice"] if inspection.tiny else [])])
    inspection.record("measured", result)
    ratios = sorted((row["seconds"] / row["predictedSeconds"], row["operation"], row["form"]) for row in result["operations"] if row.get("predictedSeconds"))
    for ratio, operation, form in ratios:
        inspection.say(f"{operation} {form}: {ratio:.2f} times the predicted time")


def speed(inspection):
    """Tokens per second at several micro-batch sizes."""
    cases = [("7b", 256, 1), ("7b", 256, 16), ("1b", 256, 32)]
    if not inspection.quick:
        cases += [("7b", 256, 4), ("7b", 256, 32), ("7b", 1024, 1), ("7b", 1024, 8), ("1b", 256, 8), ("1b", 256, 64), ("1b", 1024, 16), ("130m", 256, 64)]
    for model, length, batch in [("demo", 16, 1), ("demo", 16, 2)] if inspection.tiny else cases:
        name = f"{model} x{length}, batch {batch}"
        try:
            with MemorySampler() as sampler:
                entry = summary(inspection.profile(model, length, batch))
            entry.update(model=model, **sampler.report())
            entry["shareOfPeak"] = share_of_peak(inspection, entry)
            inspection.say(f"{name}: {entry['tokensPerSecond']:,.0f} tokens/s")
        except (Failed, Unavailable) as failure:
            entry = {"note": str(failure)}
            inspection.say(f"{name}: {failure}")
        inspection.record(name, entry)
    if not any("tokensPerSecond" in entry for entry in inspection.of("speed").values() if isinstance(entry, dict)):
        raise Failed("no step ran")


def share_of_peak(inspection, entry):
    """Useful FLOP/s, a layer's recomputation not counted again, over the highest matrix speed that was measured."""
    measured = [inspection.of("peaks").get("torch", {}).get("matrixFlops")]
    measured += [report.get("matrixPeakFlops") for report in inspection.of("bench").values() if isinstance(report, dict)]
    known = [flops for flops in [*measured, entry["ownMatmulFlops"]] if flops]
    return entry["flopsPerToken"] * entry["tokensPerSecond"] / max(known) if any(measured) else None


def gemm(inspection):
    """Our own products against cuBLASLt's: whole steps, and the products of bench."""
    compare(inspection, {name: ["--gemm", name] for name in ("own", "cublaslt", "auto")})
    for name in ("own", "cublaslt", "auto"):
        report = run_bench(inspection, "demo" if inspection.tiny else "1b", "--gemm", name)
        products = [row for row in report["operations"] if row.get("kind") == "product"]
        inspection.record(f"bench {name}", {"productSecondsPerStep": sum(row["secondsPerStep"] for row in products), "products": products})


def graphs(inspection):
    compare(inspection, {"graphs": [], "launches": ["--no-cuda-graphs"]}, batch=1)


def compare(inspection, variants, batch=16):
    model, length, batch = ("demo", 16, 1) if inspection.tiny else ("1b", 256, batch)
    notes = []
    for name, options in variants.items():
        try:
            entry = summary(inspection.profile(model, length, batch, *options))
            inspection.say(f"{name}: {entry['tokensPerSecond']:,.0f} tokens/s")
        except (Unavailable, Failed) as reason:
            if isinstance(reason, Failed) and "cuBLASLt was not found" not in str(reason):
                raise
            entry = {"note": str(reason)}
            notes.append(f"{name}: {reason}")
        inspection.record(name, entry)
    if notes:
        raise Unavailable("; ".join(notes))


def require_torch(inspection):
    try:
        inspection.run([inspection.python, "-c", "import torch"])
    except Failed:
        raise Unavailable(f"{inspection.python} has no torch; name another one with --python") from None
