"""The targets of the GPU work, each judged from what the sections recorded: met, not met, or not measured."""

PASS_SHARE, OWN_GEMM_SHARE, STEP_SHARE, TORCH_RATIO, PLAN_DIFFERENCE = 0.85, 0.70, 0.50, 3.0, 0.01

# Passes that take less of a step than this are too short for their rate to matter, and in small models all are.
NOTABLE_SHARE = 0.01
LARGE_MODELS = ("7b", "1b")


def judge(inspection):
    rows = [
        count(inspection, "contract", "failed", "every operation matches its float64 oracle"),
        status(inspection, "parity", "training follows the CPU's losses"),
        status(inspection, "train", "a resumed run ends with the bytes of the whole one"),
        count(inspection, "sanitizer", "errors", "compute-sanitizer finds nothing"),
        passes(inspection),
        own_gemm(inspection),
        chosen_gemm(inspection),
        *(step_share(inspection, model) for model in ("1b", "7b")),
        *against_torch(inspection),
        plan(inspection),
        *(fits(inspection, size) for size in ("12GB", "8GiB")),
    ]
    inspection.results["targets"] = [row(*values) for values in rows]
    inspection.save()


def row(target, required, value, met, text="{}"):
    measured = text.format(value) if value is not None else ""
    return {"target": target, "required": required, "measured": measured, "status": "not measured" if met is None else "met" if met else "not met"}


def done(section):
    return section.get("status") in ("done", "failed")


def count(inspection, name, key, target):
    found = inspection.of(name)
    value = found.get(key) if done(found) else None
    return target, "0", value, None if value is None else value == 0


def status(inspection, name, target):
    found = inspection.of(name)
    return target, "", found["status"] if done(found) else None, found["status"] == "done" if done(found) else None


def entries(section, key):
    return {name: entry for name, entry in section.items() if isinstance(entry, dict) and entry.get(key) is not None}


def passes(inspection):
    """The slowest notable pass over memory of the large models."""
    shares = [
        operation["shareOfLimit"]
        for model, report in entries(inspection.of("bench"), "operations").items()
        for operation in report["operations"]
        if model in LARGE_MODELS and "bytesPerSecond" in operation and operation["share"] >= NOTABLE_SHARE
    ]
    worst = min(shares, default=None)
    return "element-wise and update kernels, slowest, of the copy bandwidth", f"{PASS_SHARE:.0%}", worst, worst and worst >= PASS_SHARE, "{:.1%}"


def product_seconds(inspection, name):
    return inspection.of("gemm").get(f"bench {name}", {}).get("productSecondsPerStep")


def own_gemm(inspection):
    own, library = product_seconds(inspection, "own"), product_seconds(inspection, "cublaslt")
    share = library / own if own and library else None
    return "own GEMM of cuBLASLt's speed, products of a 1B step", f"{OWN_GEMM_SHARE:.0%}", share, share and share >= OWN_GEMM_SHARE, "{:.1%}"


def chosen_gemm(inspection):
    """Within the noise of two runs."""
    chosen, library = product_seconds(inspection, "auto"), product_seconds(inspection, "cublaslt")
    share = library / chosen if chosen and library else None
    return "GEMM as chosen, of cuBLASLt's speed", "100%", share, share and share >= 0.98, "{:.1%}"


def step_share(inspection, model):
    shares = [entry["shareOfPeak"] for entry in entries(inspection.of("speed"), "shareOfPeak").values() if entry["model"] == model]
    best = max(shares, default=None)
    return f"{model} step of the measured matrix peak, best micro-batch", f"{STEP_SHARE:.0%}", best, best and best >= STEP_SHARE, "{:.1%}"


def against_torch(inspection):
    found = entries(inspection.of("reference"), "ratio").values() if not inspection.tiny else []
    ratio = min((entry["ratio"] for entry in found), default=None)
    yield "tokens/s of the PyTorch script's, equal batch, lowest", f"{TORCH_RATIO:.0f} times", ratio, ratio and ratio >= TORCH_RATIO, "{:.2f} times"
    peaks = [(entry["qapollo"]["peakDriverBytes"], entry["torch"]["peakDriverBytes"]) for entry in found]
    share = max((ours / theirs for ours, theirs in peaks if ours and theirs), default=None)
    yield "memory of the PyTorch script's, equal batch, highest", "under 100%", share, share and share < 1, "{:.1%}"


def plan(inspection):
    sections = [*entries(inspection.of("memory"), "driverArenaBytes").values(), *entries(inspection.of("speed"), "driverArenaBytes").values()]
    worst = max((abs(entry["driverArenaBytes"] / entry["plannedArenaBytes"] - 1) for entry in sections), default=None)
    return "planned against measured bytes, context aside, largest difference", "1%", worst, None if worst is None else worst <= PLAN_DIFFERENCE, "{:.3%}"


def fits(inspection, size):
    found = {name: entry for name, entry in inspection.of("memory").items() if name.startswith("7b") and name.endswith(size)}
    ran = sum("tokensPerSecond" in entry for entry in found.values())
    return f"LLaMA-7B at 256 and 1024 tokens trains in {size}", "2 of 2", ran if found else None, ran == 2 if found else None, "{} of 2"


def table(rows):
    """Lines of a table with the columns as wide as they must be."""
    header = {"target": "target", "required": "required", "measured": "measured", "status": "status"}
    widths = {key: max(len(row[key]) for row in [header, *rows]) for key in header}
    return ["  ".join(row[key].ljust(widths[key]) for key in header).rstrip() for row in [header, *rows]]
