"""The ids by SentencePiece itself: python3 sentencepiece_ids.py MODEL STRINGS.jsonl > IDS ("!": decoding does not give the text back)."""

import json
import sys

import sentencepiece


def main(model: str, strings: str) -> None:
    processor = sentencepiece.SentencePieceProcessor(model_file=model)
    with open(strings, encoding="utf-8") as file:
        for line in file:
            text = json.loads(line)
            ids = processor.encode(text)
            print(*ids, end="" if processor.decode(ids) == text else " !", sep=" ")
            print()


if __name__ == "__main__":
    main(*sys.argv[1:])
