"""Writes the table that UnicodeNormalization.cs reads, from Python's unicodedata.

Only characters of Unicode 9 have a line: Hugging Face's library normalizes by that version, and ids must be those that a
model saw. (All 6703 characters that Unicode 14 would decompose or reorder were compared, in NFC, NFD, NFKC and NFKD.)
Perl knows which version brought a character.

Lines, ASCII, hexadecimal code points:
    V 9.0                 the version of Unicode
    C 0300 0314 E6        a range of one canonical combining class
    D 00C0 0041 0300      a canonical decomposition, one step
    K FB01 0066 0069      a compatibility decomposition, one step
    X 0958                a canonical decomposition that is not composed again
Hangul syllables are computed and not listed.
"""

import subprocess
import sys
import unicodedata

VERSION = "9.0"
PERL = r"for (0 .. 0x10FFFF) { print qq($_\n) if ($_ < 0xD800 || $_ > 0xDFFF) && chr($_) =~ /\p{Present_In: %s}/ }"


def main(path: str) -> None:
    present = set(map(int, subprocess.check_output(["perl", "-e", PERL % VERSION]).split()))
    lines = [f"V {VERSION}"]
    classes = [unicodedata.combining(chr(c)) if c in present else 0 for c in range(0x110000)]
    start = 0
    for end in range(1, 0x110001):
        if end == 0x110000 or classes[end] != classes[start]:
            if classes[start]:
                lines.append(f"C {start:04X} {end - 1:04X} {classes[start]:X}")
            start = end

    for c in range(0x110000):
        if c not in present or 0xAC00 <= c < 0xD7A4:
            continue
        decomposition = unicodedata.decomposition(chr(c))
        if not decomposition:
            continue
        parts = decomposition.split()
        compatible = parts[0].startswith("<")
        lines.append(f"{'K' if compatible else 'D'} {c:04X} {' '.join(parts[compatible:])}")
        if not compatible and unicodedata.normalize("NFC", chr(c)) != chr(c):
            lines.append(f"X {c:04X}")

    with open(path, "w", encoding="ascii", newline="\n") as file:
        file.write("\n".join(lines) + "\n")


if __name__ == "__main__":
    main(sys.argv[1])
