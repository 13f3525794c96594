"""The ids and the decoded texts by SentencePiece: golden_sentencepiece.py MODEL STRINGS.json OUTPUT.json"""

import json
import sys

import sentencepiece


def main(model: str, strings: str, output: str) -> None:
    processor = sentencepiece.SentencePieceProcessor(model_file=model)
    with open(strings, encoding="utf-8") as file:
        texts = json.load(file)
    ids = [processor.encode(text) for text in texts]
    decoded = {str(i): processor.decode(x) for i, (x, text) in enumerate(zip(ids, texts)) if processor.decode(x) != text}
    with open(output, "w", encoding="utf-8", newline="\n") as file:
        json.dump({"ids": ids, "decoded": decoded}, file, separators=(",", ":"))
        file.write("\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
