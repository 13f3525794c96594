#!/bin/sh
# Compares every tokenizer.json of a folder with the peer: compare_all.sh FOLDER STRINGS.jsonl
# Run it in the folder where the npm package "tokenizers" is installed, after building TokenIds in Release.
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
for file in "$1"/*.json; do
    printf '%s: ' "$(basename "$file" .json)"
    node "$here/peer_ids.mjs" "$file" "$2" >"$work/peer" || continue
    dotnet "$here/TokenIds/bin/Release/net10.0/TokenIds.dll" "$file" "$2" >"$work/ours" || continue
    python3 "$here/compare.py" "$work/ours" "$work/peer" "$2"
done
rm -r "$work"
