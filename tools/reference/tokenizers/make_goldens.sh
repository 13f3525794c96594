#!/bin/sh
# Makes the models and the expected ids of tests/QApollo.Data.Tests/Tokenizers/Goldens, from the sources of this repository.
# Run it in a folder where the npm package "tokenizers" is installed, with the Debian packages sentencepiece and
# python3-sentencepiece, after building TrainBpe and ComparePackages in Release. PYTHON names the Python that has sentencepiece.
set -e
here=$(cd "$(dirname "$0")" && pwd)
python=${PYTHON:-python3}
root=$here/../../..
out=$root/tests/QApollo.Data.Tests/Tokenizers/Goldens
work=$(mktemp -d)
mkdir -p "$out"
find "$root/src/QApollo/Devices" "$root/src/QApollo/Quantization" -name '*.cs' | LC_ALL=C sort | xargs cat >"$work/text"
"$python" "$here/golden_strings.py" text >>"$work/text"
"$python" "$here/golden_strings.py" json >"$out/strings.json"

dotnet "$here/TrainBpe/bin/Release/net10.0/TrainBpe.dll" "$work/text" "$out/bytes.json" 500 2 Llama3 1

train() {
    name=$1
    shift
    # Relative names: a model remembers them.
    (cd "$work" && spm_train --input=text --model_prefix="$name" --minloglevel=2 --num_threads=1 --max_sentence_length=100000 \
        --normalization_rule_tsv=rules.tsv "$@")
    cp "$work/$name.model" "$out/"
}
"$python" "$here/golden_strings.py" rules >"$work/rules.tsv"
train bpe --model_type=bpe --vocab_size=700 --byte_fallback --remove_extra_whitespaces=false --allow_whitespace_only_pieces
train bpe-user --model_type=bpe --vocab_size=400 --user_defined_symbols='<mask>,the,  ' --control_symbols='<sep>'
train unigram --model_type=unigram --vocab_size=700 --byte_fallback --remove_extra_whitespaces=false
train unigram-user --model_type=unigram --vocab_size=400 --user_defined_symbols='<mask>,the' --control_symbols='<sep>'
"$python" "$here/unigram_json.py" "$out/unigram-user.model" "$out/unigram.json"

node "$here/golden_cases.mjs" "$out" "$work/text"
for model in bpe bpe-user unigram unigram-user; do
    "$python" "$here/golden_sentencepiece.py" "$out/$model.model" "$out/strings.json" "$out/$model.model.ids.json"
done
dotnet "$here/ComparePackages/bin/Release/net10.0/linux-x64/ComparePackages.dll" goldens "$out"
rm -r "$work"
