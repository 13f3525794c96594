"""compute-sanitizer over every operation on small shapes."""

import re

from .inspection import Failed, Unavailable

TOOLS = ["memcheck", "racecheck", "initcheck", "synccheck"]


def sanitizer(inspection):
    errors, seen = 0, []
    for tool in TOOLS:
        runs = {"operations": [*inspection.check, "operations"]}
        if not inspection.quick:
            runs["contract"] = [*inspection.check, "contract", "--per-theory", "2", "--random", "1", "--largest", "64"]
        for name, command in runs.items():
            try:
                output = inspection.run(["compute-sanitizer", "--tool", tool, "--print-limit", "20", *command], accept=range(256))
            except Failed as failure:
                inspection.record(f"{tool} {name}", {"note": str(failure)})
                inspection.say(f"{tool}, {name}: {failure}")
                continue
            found = re.search(r"ERROR SUMMARY: (\d+) error|RACECHECK SUMMARY: (\d+) hazard", output)
            if not found:
                raise Unavailable(f"compute-sanitizer does not run here: {output.strip().splitlines()[-1:]}")
            count = int(found[1] or found[2])
            lines = [line for line in output.splitlines() if line.startswith("=====")]
            inspection.record(f"{tool} {name}", {"errors": count, "output": lines[:60] if count else []})
            inspection.say(f"{tool}, {name}: {count} errors")
            errors += count
            seen.append(tool)
    inspection.record("errors", errors)
    inspection.record("tools", seen)
    if errors:
        raise Failed(f"{errors} errors")
