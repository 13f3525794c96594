"""Compares two files of ids line by line: python3 compare.py OURS PEER STRINGS.jsonl

Prints how many lines have the same ids, how many texts each side decodes to what went in, and the first differences.
"""

import sys


def main(ours: str, peer: str, strings: str) -> int:
    with open(ours, encoding="utf-8") as a, open(peer, encoding="utf-8") as b, open(strings, encoding="utf-8") as s:
        rows = [[line.rstrip("\n") for line in file] for file in (a, b, s)]
    if len({len(row) for row in rows}) != 1:
        print(f"line counts differ: {[len(row) for row in rows]}")
        return 1
    ids = [[line.removesuffix("!").strip() for line in row] for row in rows[:2]]
    different = [i for i in range(len(rows[0])) if ids[0][i] != ids[1][i]]
    returned = [sum(not line.endswith("!") for line in row) for row in rows[:2]]
    print(f"{len(rows[0]) - len(different)} equal, {len(different)} different; decoded to the same text: {returned[0]} ours, {returned[1]} peer")
    for i in different[:5]:
        print(f"  {rows[2][i][:160]}\n    ours {ids[0][i][:160]}\n    peer {ids[1][i][:160]}")
    return 1 if different else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
