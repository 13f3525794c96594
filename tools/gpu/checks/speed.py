"""How fast is it, and against what the card can do?"""

from .card import MemorySampler
from .memory import summary
from .session import Failed, Unavailable

REFERENCE = "tools/reference/gpu"


def peaks(session):
    """Matrix peak and copy bandwidth through PyTorch, which uses cuBLAS."""
    tiny = ["--size", "256", "--copy-bytes", "1000000", "--runs", "3", "--device", "cpu"] if session.tiny else []
    require_torch(session)
    result = session.run_json([session.python, f"{REFERENCE}/peaks.py", *tiny])
    session.record("torch", result)
    session.say(f"matrix {result['matrixFlops'] / 1e12:.1f} TFLOP/s, copy {result['copyBytesPerSecond'] / 1e9:.0f} GB/s")


def bench(session):
    models = ["demo"] if session.tiny else ["7b", "1b", "130m"]
    for model in models:
        session.record(model, run_bench(session, model))


def run_bench(session, model, *more):
    small = ["--seq-len", "16", "--batch-size", "1", "--steps", "1"] if session.tiny else []
    return session.run_json([*session.qapollo, "bench", "--device", "cuda", "--model", model, "--json", *small, *more])


def speed(session):
    """Tokens per second at several micro-batch sizes."""
    cases = [("7b", 256, 1), ("7b", 256, 16), ("1b", 256, 32)]
    if not session.quick:
        cases += [("7b", 256, 4), ("7b", 256, 32), ("7b", 1024, 1), ("7b", 1024, 8), ("1b", 256, 8), ("1b", 256, 64), ("1b", 1024, 16), ("130m", 256, 64)]
    for model, length, batch in [("demo", 16, 1), ("demo", 16, 2)] if session.tiny else cases:
        name = f"{model} x{length}, batch {batch}"
        try:
            with MemorySampler() as sampler:
                entry = summary(session.profile(model, length, batch))
            entry.update(model=model, **sampler.report())
            entry["shareOfPeak"] = share_of_peak(session, entry)
            session.say(f"{name}: {entry['tokensPerSecond']:,.0f} tokens/s")
        except (Failed, Unavailable) as failure:
            entry = {"note": str(failure)}
            session.say(f"{name}: {failure}")
        session.record(name, entry)
    if not any("tokensPerSecond" in entry for entry in session.of("speed").values() if isinstance(entry, dict)):
        raise Failed("no step ran")


def share_of_peak(session, entry):
    """Useful FLOP/s, a layer's recomputation not counted again, over the highest matrix speed that was measured."""
    measured = [session.of("peaks").get("torch", {}).get("matrixFlops")]
    measured += [report.get("matrixPeakFlops") for report in session.of("bench").values() if isinstance(report, dict)]
    known = [flops for flops in [*measured, entry["ownMatmulFlops"]] if flops]
    return entry["flopsPerToken"] * entry["tokensPerSecond"] / max(known) if any(measured) else None


def gemm(session):
    """Our own products against cuBLASLt's: whole steps, and the products of bench."""
    compare(session, {name: ["--gemm", name] for name in ("own", "cublaslt", "auto")})
    for name in ("own", "cublaslt", "auto"):
        report = run_bench(session, "demo" if session.tiny else "1b", "--gemm", name)
        products = [row for row in report["operations"] if row.get("kind") == "product"]
        session.record(f"bench {name}", {"productSecondsPerStep": sum(row["secondsPerStep"] for row in products), "products": products})


def graphs(session):
    compare(session, {"graphs": [], "launches": ["--no-cuda-graphs"]}, batch=1)


def compare(session, variants, batch=16):
    model, length, batch = ("demo", 16, 1) if session.tiny else ("1b", 256, batch)
    notes = []
    for name, options in variants.items():
        try:
            entry = summary(session.profile(model, length, batch, *options))
            session.say(f"{name}: {entry['tokensPerSecond']:,.0f} tokens/s")
        except (Unavailable, Failed) as reason:
            if isinstance(reason, Failed) and "cuBLASLt was not found" not in str(reason):
                raise
            entry = {"note": str(reason)}
            notes.append(f"{name}: {reason}")
        session.record(name, entry)
    if notes:
        raise Unavailable("; ".join(notes))


def require_torch(session):
    try:
        session.run([session.python, "-c", "import torch"])
    except Failed:
        raise Unavailable(f"{session.python} has no torch; name another one with --python") from None
