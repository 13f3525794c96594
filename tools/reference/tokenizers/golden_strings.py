"""Strings for the golden files: golden_strings.py text (to train on), json (to encode), rules (for SentencePiece)."""

import json
import sys

LINES = [
    "The quick brown fox jumps over the lazy dog; it's 12,345.67 metres, isn't it? We'll see: THEY'VE 3 dogs.",
    "Größe, façade, naïve café, Ångström, ﬁne ﬂow, e\u0301te\u0301, ｆｕｌｌ ｗｉｄｔｈ, ①②③ ½ ² ㎏",
    "Привет, мир! Как дела? Съешь же ещё этих мягких французских булок.",
    "日本語の文章、東京タワー。中文句子，很好。한국어 문장입니다.",
    "नमस्ते दुनिया, यह एक वाक्य है। שלום עולם. مرحبا بالعالم. สวัสดีชาวโลก",
    "👍🏽 👩‍👩‍👧 🇩🇪 𝒜𝓁𝑔𝑒𝒷𝓇𝒶 𐐀𐐨 𠀀𠀁",
    "for (int i = 0; i < 100; i++) {\n        total += weights[i] * 0x1F;\n    }\r\n",
]
EXTRA = [
    "", " ", "  ", "\n", "\n\n  \n x", "a", " a", "a ", "  leading and trailing  ", "tab\tand\u00a0no-break\u3000wide\u2028line\u0085next",
    "<|endoftext|>", "x<|endoftext|>y", " <mask> ", "<mask><mask>the", "<s>the</s>", "the theatre them", "▁▁the ▁a", "Ġthe",
    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "123456789012345", "1٢३², ⅷ", "'S 'tis I'M you'LL 'ſ", "\u0000\u0001\u007f\u200b\u200d\ufeff",
    "e\u0301\u0327\u0323 a\u0328\u0301", "각각 \u1100\u1161\u11a8", "İstanbul ΣΑΣ ß", "foo_bar.bazQux(HTTPServer2)", "=====----_____*****", "\ufffd\U0010ffff\ue000",
]
RULES = {"ﬁ": "fi", "ﬂ": "fl", "½": "1/2", "e\u0301": "é", "㎏": "kg", "\u3000": " ", "\u00a0": " ", "\u200b": "", "\t": " ", "İ": "i"}


def main(what: str) -> None:
    if what == "text":
        for line in LINES * 3:
            print(line)
    elif what == "json":
        json.dump(LINES + EXTRA, sys.stdout, indent=0)
        print()
    else:
        for source, target in RULES.items():
            print(" ".join(f"{ord(c):X}" for c in source), " ".join(f"{ord(c):X}" for c in target), sep="\t")


if __name__ == "__main__":
    main(sys.argv[1])
