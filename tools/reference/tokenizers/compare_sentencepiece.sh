#!/bin/sh
# Compares every .model of a folder with SentencePiece: compare_sentencepiece.sh FOLDER STRINGS.jsonl
# After building TokenIds in Release.
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
for file in "$1"/*.model; do
    printf '%s: ' "$(basename "$file" .model)"
    ${PYTHON:-python3} "$here/sentencepiece_ids.py" "$file" "$2" >"$work/peer" || continue
    dotnet "$here/TokenIds/bin/Release/net10.0/TokenIds.dll" "$file" "$2" >"$work/ours" || continue
    ${PYTHON:-python3} "$here/compare.py" "$work/ours" "$work/peer" "$2"
done
rm -r "$work"
