"""Writes a tokenizer.json as T5's from a unigram .model: python3 unigram_json.py MODEL OUTPUT.json"""

import base64
import json
import struct
import sys


def fields(message: bytes):
    at = 0

    def varint() -> int:
        nonlocal at
        value = shift = 0
        while True:
            byte = message[at]
            at += 1
            value |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                return value

    while at < len(message):
        key = varint()
        if key & 7 == 0:
            yield key >> 3, varint()
        else:
            length = {1: 8, 5: 4}.get(key & 7) or varint()
            yield key >> 3, message[at : at + length]
            at += length


def main(model: str, output: str) -> None:
    with open(model, "rb") as file:
        parts = list(fields(file.read()))
    pieces = [dict(fields(value)) for number, value in parts if number == 1]
    normalizer = dict(fields(next(value for number, value in parts if number == 3)))
    trainer = dict(fields(next(value for number, value in parts if number == 2)))
    # The peer's JSON reader is off by one in the last place for numbers of more than 15 digits, which decides ties.
    vocab = [[piece[1].decode(), round(struct.unpack("<f", piece[2])[0], 6)] for piece in pieces]
    special = [i for i, piece in enumerate(pieces) if piece.get(3, 1) in (2, 3, 4)]
    space = {"type": "Metaspace", "replacement": "\u2581", "prepend_scheme": "always", "split": True}
    steps = [{"type": "Replace", "pattern": {"Regex": " {2,}"}, "content": " "}]
    if normalizer.get(2):
        steps.insert(0, {"type": "Precompiled", "precompiled_charsmap": base64.b64encode(normalizer[2]).decode()})
    result = {
        "version": "1.0", "truncation": None, "padding": None,
        "added_tokens": [{"id": i, "content": vocab[i][0], "single_word": False, "lstrip": False, "rstrip": False, "normalized": False, "special": True} for i in special],
        "normalizer": {"type": "Sequence", "normalizers": steps},
        "pre_tokenizer": {"type": "Sequence", "pretokenizers": [{"type": "WhitespaceSplit"}, space]},
        "post_processor": None, "decoder": space,
        "model": {"type": "Unigram", "unk_id": next(i for i, piece in enumerate(pieces) if piece.get(3, 1) == 2), "vocab": vocab, "byte_fallback": bool(trainer.get(35))},
    }
    with open(output, "w", encoding="utf-8") as file:
        json.dump(result, file)


if __name__ == "__main__":
    main(*sys.argv[1:])
