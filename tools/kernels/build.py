#!/usr/bin/env python3
"""Builds the PTX of every kernel file with NVRTC 11.8 for compute_80, and reports registers and spills.

    build.py write NVRTC_FOLDER   compile what changed, write src/QApollo.Cuda/Ptx/*.ptx and docs/kernels.md
    build.py check NVRTC_FOLDER   compile everything; fail where the committed PTX or table differs, or a kernel spills

NVRTC_FOLDER holds libnvrtc.so.11.2 and libnvrtc-builtins.so.11.8 (see fetch-nvrtc.sh). Each PTX starts with two
stamp lines, which a test checks without NVRTC: the SHA-256 of its sources and options, and of the text below.
"""
import collections
import ctypes
import hashlib
import multiprocessing
import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
KERNELS = ROOT / "src/QApollo.Cuda/Kernels"
PTX = ROOT / "src/QApollo.Cuda/Ptx"
TABLE = ROOT / "docs/kernels.md"
OPTIONS = ["-std=c++17", "-fmad=false"]
ARCHITECTURES = ["80", "86", "89", "90"]

# Compilations of a file, at most, that does not give the same each time.
ATTEMPTS = 24

# Compilations of a file that is written, if all give the same.
ALIKE = 3


def read(path):
    """Text with LF line ends, so that stamps do not depend on the checkout."""
    return path.read_bytes().replace(b"\r\n", b"\n")


def digest(*parts):
    """SHA-256 over length-prefixed parts (8 bytes, little endian)."""
    sha = hashlib.sha256()
    for part in parts:
        sha.update(len(part).to_bytes(8, "little") + part)
    return sha.hexdigest()


class Nvrtc:
    def __init__(self, folder):
        # NVRTC opens its builtins by bare name: found once they are loaded.
        ctypes.CDLL(str(folder / "libnvrtc-builtins.so.11.8"), mode=ctypes.RTLD_GLOBAL)
        self.library = ctypes.CDLL(str(folder / "libnvrtc.so.11.2"))
        self.headers = sorted(KERNELS.glob("*.h"))

    def text(self, program, name):
        size = ctypes.c_size_t()
        getattr(self.library, f"nvrtcGet{name}Size")(program, ctypes.byref(size))
        buffer = ctypes.create_string_buffer(size.value)
        getattr(self.library, f"nvrtcGet{name}")(program, buffer)
        return buffer.value.decode()

    def compile(self, source, architecture, options):
        """Returns PTX (empty for a real architecture) and the compiler's log."""
        count = len(self.headers)
        texts = (ctypes.c_char_p * count)(*[read(h) for h in self.headers])
        names = (ctypes.c_char_p * count)(*[h.name.encode() for h in self.headers])
        program = ctypes.c_void_p()
        self.library.nvrtcCreateProgram(ctypes.byref(program), read(source), source.name.encode(), count, texts, names)
        flags = [f"-arch={architecture}"] + OPTIONS + options
        status = self.library.nvrtcCompileProgram(program, len(flags), (ctypes.c_char_p * len(flags))(*[f.encode() for f in flags]))
        log = self.text(program, "ProgramLog")
        if status != 0:
            raise RuntimeError(f"{source.name} ({architecture}):\n{log}")
        ptx = self.text(program, "PTX") if architecture.startswith("compute") else ""
        self.library.nvrtcDestroyProgram(ctypes.byref(program))
        return ptx, log


def headers_of(source, found=None):
    """The kernel headers that a file includes, directly or not."""
    found = set() if found is None else found
    for name in re.findall(rb'^#include "(\w+\.h)"', read(source), re.MULTILINE):
        header = KERNELS / name.decode()
        if header.exists() and header not in found:
            found.add(header)
            headers_of(header, found)
    return sorted(found, key=lambda h: h.name)


def source_stamp(source):
    headers = [part for h in headers_of(source) for part in (h.name.encode(), read(h))]
    return digest(read(source), *headers, " ".join(["compute_80"] + OPTIONS).encode())


def stamped(source, body):
    return f"// source {source_stamp(source)}\n// body {digest(body.encode())}\n{body}"


def registers(log):
    """kernel -> (registers, spilled bytes, static shared bytes) from the assembler's report."""
    found, kernel, spilled = {}, None, 0
    for line in log.splitlines():
        if match := re.search(r"Function properties for (\w+)", line):
            kernel = match[1]
        elif match := re.search(r"(\d+) bytes spill stores, (\d+) bytes spill loads", line):
            spilled = int(match[1]) + int(match[2])
        elif match := re.search(r"Used (\d+) registers", line):
            shared = re.search(r"(\d+) bytes smem", line)
            found[kernel] = (int(match[1]), spilled, int(shared[1]) if shared else 0)
    return found


def rows_of(file, report):
    """The table's lines for one file."""
    for kernel in sorted(report["80"]):
        values = [report[a][kernel] for a in ARCHITECTURES]
        yield f"| {file} | {kernel} | {' / '.join(str(v[0]) for v in values)} | {max(v[1] for v in values)} | {values[0][2]} |"


def table(rows):
    lines = ["# Kernels: registers and spills", "",
             "Written by `tools/kernels/build.py write` (NVRTC 11.8); the assembler's report for each target, dynamic shared memory aside.", "",
             "| file | kernel | registers sm_80 / 86 / 89 / 90 | spilled bytes | static shared bytes |", "| --- | --- | --- | --- | --- |"]
    return "\n".join(lines + rows) + "\n"


def known_rows(source):
    """The committed rows of a file whose PTX is up to date, else none."""
    target = PTX / f"{source.stem}.ptx"
    if not target.exists() or not TABLE.exists() or not target.read_bytes().startswith(f"// source {source_stamp(source)}\n".encode()):
        return []
    return [line for line in TABLE.read_text().splitlines() if line.startswith(f"| {source.name} |")]


def build(job):
    """Compiles one file; returns its name, PTX and reports, in a check those that are committed if they come up."""
    source, folder, is_check = job
    nvrtc = Nvrtc(folder)
    committed = (PTX / f"{source.stem}.ptx").read_text() if is_check and (PTX / f"{source.stem}.ptx").exists() else None
    rows = known_rows(source) if is_check else None

    def settled(key, wanted, compiled):
        """
        NVRTC numbers registers by chance in some files: apollo_project.cu gives dozens of texts, one of them every second time. A check
        compiles until the committed one comes up; what is written is the one that comes up most often.
        """
        seen = collections.Counter()
        results = {}
        for _ in range(ATTEMPTS):
            result = compiled()
            seen[key(result)] += 1
            results[key(result)] = result
            if is_check and key(result) == wanted or not is_check and seen.total() == ALIKE and len(seen) == 1:
                break
        return results[wanted] if wanted in results else results[seen.most_common(1)[0][0]]

    ptx = settled(lambda text: stamped(source, text), committed, lambda: nvrtc.compile(source, "compute_80", [])[0])
    report = settled(
        lambda found: tuple(rows_of(source.name, found)), tuple(rows) if is_check else None,
        lambda: {a: registers(nvrtc.compile(source, f"sm_{a}", ["--ptxas-options=-v"])[1]) for a in ARCHITECTURES})
    return source, ptx, report


def main():
    if len(sys.argv) != 3 or sys.argv[1] not in ("write", "check"):
        sys.exit(__doc__)
    write, folder = sys.argv[1] == "write", pathlib.Path(sys.argv[2]).resolve()
    sources = sorted(KERNELS.glob("*.cu"))
    rows = {source: known_rows(source) if write else [] for source in sources}
    problems = []
    with multiprocessing.Pool() as pool:
        for source, ptx, report in pool.imap_unordered(build, [(s, folder, not write) for s in sources if not rows[s]]):
            target, text = PTX / f"{source.stem}.ptx", stamped(source, ptx).encode()
            if write:
                target.write_bytes(text)
            elif not target.exists() or target.read_bytes() != text:
                problems.append(f"{target.name} is not what {source.name} gives")
            rows[source] = list(rows_of(source.name, report))
            for a, kernels in report.items():
                problems += [f"{kernel} spills {spilled} bytes on sm_{a}" for kernel, (_, spilled, _) in kernels.items() if spilled]
    text = table([row for source in sources for row in rows[source]])
    if write:
        TABLE.parent.mkdir(exist_ok=True)
        TABLE.write_text(text)
        for stale in set(PTX.glob("*.ptx")) - {PTX / f"{s.stem}.ptx" for s in sources}:
            stale.unlink()
    elif not TABLE.exists() or TABLE.read_text() != text:
        problems.append(f"{TABLE.name} is not what the sources give")
    for problem in problems:
        print(problem)
    print(f"{len(sources)} files, {sum(map(len, rows.values()))} kernels, {len(problems)} problems")
    sys.exit(1 if problems else 0)


if __name__ == "__main__":
    main()
