"""What all sections share: programs, time limits, progress, and the result file, valid JSON after every entry."""

import json
import os
import signal
import subprocess
import time


# What the program says of options and commands that this build does not have.
UNKNOWN = ("Unrecognized command or argument", "Required command was not provided", ": no option of ")


class Unavailable(Exception):
    """This machine or this build lacks what the measurement needs; not a failure."""


class Failed(Exception):
    """A command failed, or a comparison did."""


class Inspection:
    def __init__(self, options, facts):
        self.options = options
        self.qapollo = options.qapollo.split()
        self.check = options.check.split()
        self.python = options.python
        self.tiny, self.quick = options.tiny, options.quick or options.tiny
        self.results = {**facts, "sections": {}, "targets": []}
        self.start = time.monotonic()
        self.end = self.start + options.time_limit
        self.section, self.section_end = "", self.end

    def say(self, text):
        print(f"[{time.monotonic() - self.start:4.0f} s] {self.section}: {text}", flush=True)

    def begin(self, name, limit):
        self.section = name
        self.section_end = min(self.end, time.monotonic() + limit)
        self.results["sections"][name] = {"status": "running"}

    def is_over(self):
        return time.monotonic() >= self.end

    def finish(self, status, note=None):
        entry = self.results["sections"][self.section]
        entry["status"] = status
        if note:
            entry["note"] = note
        self.say(f"{status}{f': {note}' if note else ''}")
        self.save()

    def record(self, key, value):
        self.results["sections"][self.section][key] = value
        self.save()

    def of(self, section):
        """What a section recorded, empty if it did not run."""
        return self.results["sections"].get(section, {})

    def save(self):
        path = self.options.output
        os.makedirs(os.path.dirname(path) or ".", exist_ok=True)
        with open(path + ".new", "w", encoding="utf-8") as file:
            json.dump(self.results, file, indent=1)
            file.write("\n")
        os.replace(path + ".new", path)

    def run(self, command, accept=(0,)):
        """Runs within the section's time and returns standard output."""
        left = self.section_end - time.monotonic()
        if left <= 0:
            raise Failed("the section's time is over")
        try:
            process = subprocess.Popen(
                command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, stdin=subprocess.DEVNULL, text=True, start_new_session=True
            )
        except FileNotFoundError:
            raise Unavailable(f"{command[0]} was not found") from None
        try:
            output, errors = process.communicate(timeout=left)
        except BaseException as reason:
            # It has a process group of its own, so Ctrl+C does not reach it either.
            os.killpg(process.pid, signal.SIGKILL)
            process.communicate()
            if isinstance(reason, subprocess.TimeoutExpired):
                raise Failed(f"stopped at the section's time limit: {text_of(command)}") from None
            raise
        if process.returncode not in accept:
            lines = (errors.strip() or output.strip()).splitlines() or ["no message"]
            if process.returncode == 2 and lines[0].startswith(UNKNOWN):
                raise Unavailable(f"{lines[0]} ({text_of(command)})")
            raise Failed(f"exit code {process.returncode} of {text_of(command)}: {lines[-1]}")
        return output

    def run_json(self, command, accept=(0,)):
        output = self.run(command, accept)
        try:
            return json.loads(output)
        except json.JSONDecodeError:
            raise Failed(f"no JSON from {text_of(command)}: {output[:200]!r}") from None

    def profile(self, model, seq_len, batch_size, *more):
        """A few real steps on random tokens, measured beside their plan."""
        steps = "1" if self.tiny else "3" if self.quick else "10"
        command = [*self.qapollo, "profile", "--device", "cuda", "--model", model, "--seq-len", str(seq_len)]
        return self.run_json([*command, "--batch-size", str(batch_size), "--steps", steps, "--json", *more])


def text_of(command):
    return " ".join([os.path.basename(command[0]), *command[1:]])
