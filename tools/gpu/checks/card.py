"""The card as the driver shows it, and memory taken away from it."""

import contextlib
import json
import select
import subprocess
import threading

from .inspection import Failed

SAMPLE_MILLISECONDS = 50


def describe():
    """Name, driver and memory of the first card, through nvidia-smi."""
    fields = ["name", "driver_version", "memory.total", "compute_cap", "clocks.max.sm", "power.limit"]
    command = ["nvidia-smi", "-i", "0", f"--query-gpu={','.join(fields)}", "--format=csv,noheader,nounits"]
    try:
        output = subprocess.run(command, capture_output=True, text=True, check=True, timeout=30).stdout
    except (OSError, subprocess.SubprocessError):
        return None
    return dict(zip(fields, (value.strip() for value in output.splitlines()[0].split(","))))


class MemorySampler:
    """Reads the card's used memory, in MiB, at a fixed interval while a command runs."""

    def __init__(self):
        self.samples, self.process, self.first = [], None, threading.Event()

    def __enter__(self):
        command = ["nvidia-smi", "-i", "0", "--query-gpu=memory.used", "--format=csv,noheader,nounits", "-lms", str(SAMPLE_MILLISECONDS)]
        try:
            self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        except OSError:
            return self
        self.thread = threading.Thread(target=self.read, daemon=True)
        self.thread.start()
        # What is in use before the command starts is the zero of the peak.
        self.first.wait(timeout=10)
        return self

    def read(self):
        for line in self.process.stdout:
            if line.strip().isdigit():
                self.samples.append(int(line))
                self.first.set()

    def __exit__(self, *_):
        if self.process:
            self.process.terminate()
            self.process.wait()
            self.thread.join()

    def report(self):
        """The highest reading over the first one, which was taken before the command had a context."""
        if not self.samples:
            return {"peakDriverBytes": None}
        return {
            "peakDriverBytes": (max(self.samples) - self.samples[0]) << 20,
            "sampleMilliseconds": SAMPLE_MILLISECONDS,
            "samples": len(self.samples),
        }


@contextlib.contextmanager
def only_left(inspection, size):
    """Holds the card's memory so that `size` is left; yields what the driver says is left. A small card stays as it is."""
    process = subprocess.Popen([*inspection.check, "hold", "--leave", size], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        if not select.select([process.stdout], [], [], 60)[0]:
            raise Failed("holding memory took longer than a minute")
        line = process.stdout.readline()
        if not line:
            raise Failed("memory could not be held: see the message above")
        yield json.loads(line)
    finally:
        process.stdin.close()
        try:
            process.wait(timeout=30)
        except subprocess.TimeoutExpired:
            process.kill()
