"""Writes strings of many kinds, one JSON string a line: python3 make_strings.py PROSE.jsonl.gz STRINGS.jsonl

The strings depend on the prose and on nothing else (fixed seed).
"""

import gzip
import json
import random
import sys

SPECIAL = ["<s>", "</s>", "<unk>", "<|endoftext|>", "<|begin_of_text|>", "<|eot_id|>", "<mask>", "<extra_id_0>", "▁", "▁▁", "Ġ", "<0x0A>"]
SCRIPTS = [
    (0x20, 0x7E), (0xA0, 0xFF), (0x100, 0x24F), (0x300, 0x36F), (0x370, 0x3FF), (0x400, 0x4FF), (0x590, 0x5FF), (0x600, 0x6FF),
    (0x900, 0x97F), (0xE00, 0xE7F), (0x1100, 0x11FF), (0x1E00, 0x1EFF), (0x2000, 0x206F), (0x2070, 0x209F), (0x20A0, 0x20BF),
    (0x2100, 0x214F), (0x2150, 0x218F), (0x2460, 0x24FF), (0x3000, 0x303F), (0x3040, 0x30FF), (0x3300, 0x33FF), (0x4E00, 0x9FFF),
    (0xAC00, 0xD7A3), (0xF900, 0xFAFF), (0xFB00, 0xFB4F), (0xFE00, 0xFE0F), (0xFF00, 0xFFEF), (0x10400, 0x1044F), (0x1D400, 0x1D7FF),
    (0x1F130, 0x1F189), (0x1F1E6, 0x1F1FF), (0x1F300, 0x1F64F), (0x1F900, 0x1F9FF), (0x20000, 0x2A6DF), (0xE0100, 0xE01EF),
]
SPACES = [" ", "  ", "   ", "\t", "\n", "\r\n", "\n\n", "\r", "\u00a0", "\u3000", "\u2028", "\u0085", "\u200b", "\u000b", "\u000c", "\u1680", "\ufeff"]
CODE = [
    "for (int i = 0; i < n; i++) {\n        a[i] += b[i] * 0x1F;\n    }\n", "def f(x):\n\treturn x ** 2  # squared\n", "SELECT * FROM t WHERE a='it''s';",
    "https://example.org/a_b/c?d=e&f=%20g#h", "foo_bar.bazQux(HTTPServer2, \"don't\")", "a<b>&amp;</b>", "\\frac{1}{2}\\int_0^\\infty e^{-x^2}\\,dx",
    "1,234,567.89 + 0.001e-10 = 12345678901234567890", "- [x] done\n- [ ] to do\n\n```cs\nvar x = 1;\n```\n", "O'Reilly's we'Re THEY'LL i'd ıt'S 'ſ 'K",
    "\u092e\u0928\u0940\u0937", "e\u0301\u0327 \u1e69 s\u0307\u0323", "👩‍👩‍👧‍👦 🇩🇪🇫🇷 👍🏽", "ﬁ ﬂ ㍿ ① ½ ² Å Ω ﷺ", "日本語のテキスト、東京。", "한국어 텍스트 각각", "שָׁלוֹם", "नमस्ते दुनिया", "ไทย",
]


def character(random_: random.Random) -> str:
    low, high = random_.choice(SCRIPTS)
    return chr(random_.randint(low, high))


def anything(random_: random.Random) -> str:
    c = random_.randrange(0x110000)
    return chr(c) if not 0xD800 <= c < 0xE000 else " "


def main(prose: str, path: str) -> None:
    r = random.Random(20240607)
    strings = ["", " ", "  ", "\n", "a", "é", "\u0301", "\u0000", "\ufffd", "👍", "▁", " a", "a ", " a ", "\n a\n"]
    with gzip.open(prose, "rt", encoding="utf-8") as file:
        for document in file:
            lines = json.loads(document)["text"].split("\n")
            strings += lines[: max(1, len(lines))]
            strings.append("\n".join(lines)[:2000])
    r.shuffle(strings)
    strings = strings[:6000]
    words = [w for s in strings[:500] for w in s.split()]
    for _ in range(1500):
        strings.append("".join(character(r) for _ in range(r.randint(1, 30))))
    for _ in range(500):
        strings.append("".join(anything(r) for _ in range(r.randint(1, 20))))
    for _ in range(500):
        strings.append("".join(chr(r.randrange(0x20)) if r.random() < 0.3 else chr(r.randrange(0x20, 0x100)) for _ in range(r.randint(1, 40))))
    for _ in range(500):
        strings.append("".join(r.choice("0123456789.,-+ ٠١٢३४²½") for _ in range(r.randint(1, 60))))
    for _ in range(1500):
        strings.append("".join(r.choice(words) if r.random() < 0.5 else r.choice(SPACES) for _ in range(r.randint(1, 30))))
    for _ in range(1500):
        parts = [r.choice([r.choice(words), r.choice(CODE), r.choice(SPECIAL), r.choice(SPACES), character(r), "'" + r.choice(["s", "T", "re", "VE", "m", "LL", "d"])]) for _ in range(r.randint(1, 12))]
        strings.append("".join(parts))
    for _ in range(300):
        strings.append(r.choice("a A1!. \n\té日▁👍-=") * r.randint(1, 400))
    strings += CODE + SPECIAL
    with open(path, "w", encoding="utf-8", newline="\n") as file:
        for s in strings:
            file.write(json.dumps(s) + "\n")


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
