"""Compares the merges of two tokenizer.json files, as text, in their order: python3 compare_merges.py OURS PEER"""

import json
import sys


def merges(path: str) -> list[str]:
    with open(path, encoding="utf-8") as file:
        return [m if isinstance(m, str) else " ".join(m) for m in json.load(file)["model"]["merges"]]


def main(ours: str, peer: str) -> int:
    a, b = merges(ours), merges(peer)
    same = next((i for i, (x, y) in enumerate(zip(a, b)) if x != y), min(len(a), len(b)))
    print(f"{len(a)} merges ours, {len(b)} peer; the first {same} are the same; {len(set(a) & set(b))} occur in both")
    if same < min(len(a), len(b)):
        print(f"  first difference: {a[same]!r} ours, {b[same]!r} peer")
    return 0 if same == min(len(a), len(b)) else 1


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
