#!/usr/bin/env python3
"""What NVIDIA's assembler makes of the shipped PTX, without a GPU.

    sass.py TOOLS write                        the hottest loop of each tensor core kernel: the table in docs/kernel-costs.md
    sass.py TOOLS show KERNEL [ARCHITECTURE]   that loop, instruction by instruction (sm_86)
    sass.py TOOLS first-start                  processor seconds for the kernels that a LLaMA-7B run launches, by file and by kernel (sm_86)

TOOLS is the folder with ptxas and nvdisasm 11.8 (see sass.sh). The table's marker names the SHA-256 of the kernels' PTX, which a test
checks without the tools.
"""
import collections
import hashlib
import multiprocessing
import pathlib
import re
import resource
import statistics
import subprocess
import sys
import tempfile

import build

ROOT = pathlib.Path(__file__).resolve().parents[2]
PTX = ROOT / "src/QApollo.Cuda/Ptx"
COSTS = ROOT / "docs/kernel-costs.md"
FIRST_START = ROOT / "docs/kernels-first-start.md"
ARCHITECTURES = ["sm_86", "sm_89", "sm_90"]
TENSOR_CORE = re.compile(r"[HI]MMA")

# Runs of the assembler of which the median counts: another program may disturb one.
REPEATS = 5


def tensor_core_files():
    return [path for path in sorted(PTX.glob("*.ptx")) if "mma.sync" in path.read_text()]


def assemble(tools, path, architecture, cubin):
    """kernel -> (registers, spilled bytes), as the assembler reports them."""
    log = subprocess.run([f"{tools}/ptxas", "-v", f"-arch={architecture}", path, "-o", cubin], check=True, capture_output=True, text=True).stderr
    return {kernel: report[:2] for kernel, report in build.registers(log).items()}


def operation(instruction):
    return re.sub(r"^@!?U?P\w+\s+", "", instruction).split()[0].split(".")[0]


def hottest_loop(text):
    """The instructions of the smallest loop with a barrier that has the most tensor core instructions: without one, nothing new comes into shared memory."""
    labels, instructions = {}, []
    for line in text.splitlines():
        if match := re.match(r"\s*(\.L_x_\d+):", line):
            labels[match[1]] = len(instructions)
        elif match := re.match(r"\s*/\*[0-9a-f]{4,}\*/\s+(.*?);", line):
            instructions.append(match[1])
    loops = []
    for end, instruction in enumerate(instructions):
        target = re.search(r"BRA.*`\((\.L_x_\d+)\)", instruction)
        if target and labels.get(target[1], end + 1) <= end:
            loop = instructions[labels[target[1]]:end + 1]
            if any(operation(instruction) == "BAR" for instruction in loop):
                loops.append(loop)
    return max(loops, key=lambda loop: (tensor_core_instructions(loop), -len(loop)), default=[])


def tensor_core_instructions(loop):
    return sum(1 for instruction in loop if TENSOR_CORE.fullmatch(operation(instruction)))


def disassemble(job):
    """kernel -> (its hottest loop, registers, spilled bytes) of one file for one architecture."""
    tools, path, architecture = job
    with tempfile.NamedTemporaryFile(suffix=".cubin") as cubin:
        reports = assemble(tools, path, architecture, cubin.name)
        text = subprocess.run([f"{tools}/nvdisasm", "-c", cubin.name], check=True, capture_output=True, text=True).stdout
    kernels = {}
    for part in re.split(r"//-+ \.text\.", text)[1:]:
        kernel = part.split(None, 1)[0]
        kernels[kernel] = (hottest_loop(part), *reports[kernel])
    return kernels


def replace_between(path, begin, end, text):
    pattern = re.compile(rf"(<!-- {begin})[^\n]*( -->\n).*?(<!-- {end} -->)", re.DOTALL)
    path.write_text(pattern.sub(lambda match: f"{match[1]} {text[0]}{match[2]}\n{text[1]}\n{match[3]}", path.read_text()))


def write(tools):
    files = tensor_core_files()
    jobs = [(tools, path, architecture) for path in files for architecture in ARCHITECTURES]
    with multiprocessing.Pool() as pool:
        results = pool.map(disassemble, jobs)
    kernels = collections.defaultdict(list)
    for found in results:
        for kernel, values in found.items():
            kernels[kernel].append(values)
    lines = ["| kernel | HMMA in the loop | per HMMA: sm_86 | sm_89 | sm_90 | registers | spilled bytes |", "| --- | ---: | ---: | ---: | ---: | ---: | ---: |"]
    order = lambda kernel: [int(part) if part.isdigit() else part for part in re.split(r"(\d+)", kernel)]
    for kernel in sorted(kernels, key=order):
        values = kernels[kernel]
        count = tensor_core_instructions(values[0][0])
        ratios = [f"{len(loop) / tensor_core_instructions(loop):.1f}" for loop, _, _ in values]
        lines.append(f"| {kernel} | {count} | {' | '.join(ratios)} | {' / '.join(str(v[1]) for v in values)} | {max(v[2] for v in values)} |")
    stamp = hashlib.sha256(b"".join(path.read_bytes() for path in files)).hexdigest()
    replace_between(COSTS, "loops of", "end of loops", (stamp, "\n".join(lines) + "\n"))
    print(f"{len(kernels)} kernels, {COSTS.relative_to(ROOT)}")


def show(tools, kernel, architecture="sm_86"):
    for path in PTX.glob("*.ptx"):
        if f".entry {kernel}(" in path.read_text():
            loop, registers, spilled = disassemble((tools, path, architecture))[kernel]
            counts = collections.Counter(map(operation, loop))
            print("\n".join(loop))
            print(f"{len(loop)} instructions, {registers} registers, {spilled} bytes spilled: {', '.join(f'{n} {c}' for n, c in counts.most_common())}")
            return
    sys.exit(f"no kernel {kernel}")


def processor_seconds(tools, path):
    """Of the assembler: the median of some runs."""
    def once():
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run([f"{tools}/ptxas", "-arch=sm_86", path, "-o", "/dev/null"], check=True, stderr=subprocess.DEVNULL)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return statistics.median(once() for _ in range(REPEATS))


def first_start(tools):
    names = re.search(r"<!-- kernels -->(.*?)<!-- end of kernels -->", FIRST_START.read_text(), re.DOTALL)[1].split()
    texts = {path: path.read_text() for path in PTX.glob("*.ptx")}
    with tempfile.TemporaryDirectory() as folder:
        cut, empty = pathlib.Path(folder) / "cut.ptx", pathlib.Path(folder) / "empty.ptx"
        empty.write_text(".version 7.8\n.target sm_80\n.address_size 64\n")
        start = processor_seconds(tools, empty)
        alone, lines, files = 0.0, 0, set()
        for name in names:
            path = next(path for path, text in texts.items() if f".entry {name}(" in text)
            files.add(path)
            cut.write_text(re.sub(rf"^\.visible \.entry (?!{name}\().*?^}}\n", "", texts[path], flags=re.DOTALL | re.MULTILINE))
            seconds = processor_seconds(tools, cut) - start
            alone += seconds
            lines += cut.read_text().count("\n")
            print(f"{seconds:6.3f} s  {name}")
        whole = {path: processor_seconds(tools, path) - start for path in sorted(texts)}
    total = lambda chosen: (sum(texts[p].count(".visible .entry") for p in chosen), sum(texts[p].count("\n") for p in chosen), sum(whole[p] for p in chosen))
    print("all files: %d kernels, %d lines, %.1f s" % total(texts))
    print("files of the run: %d kernels, %d lines, %.1f s" % total(files))
    print(f"kernels of the run: {len(names)} kernels, {lines} lines, {alone:.1f} s")


def main():
    commands = {"write": write, "show": show, "first-start": first_start}
    if len(sys.argv) < 3 or sys.argv[2] not in commands:
        sys.exit(__doc__)
    commands[sys.argv[2]](sys.argv[1], *sys.argv[3:])


if __name__ == "__main__":
    main()
