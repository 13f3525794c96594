#!/bin/sh
# Trains SentencePiece models that differ in one thing each (spm_train of the Debian package sentencepiece).
# Usage: train_sentencepiece.sh TEXT.txt OUTPUT-FOLDER
set -e
mkdir -p "$2"
train() {
    name=$1
    shift
    spm_train --input="$text" --model_prefix="$out/$name" --minloglevel=2 --num_threads=2 --input_sentence_size=100000 "$@" >/dev/null
}
text=$1
out=$2
train bpe --model_type=bpe --vocab_size=8000
train bpe-llama --model_type=bpe --vocab_size=8000 --byte_fallback --split_digits --normalization_rule_name=identity --remove_extra_whitespaces=false --allow_whitespace_only_pieces --pad_id=3
train bpe-user --model_type=bpe --vocab_size=4000 --user_defined_symbols='<mask>,<extra_id_0>,the,  ,'"'"'s,▁▁' --control_symbols='<sep>,<cls>' --byte_fallback --normalization_rule_name=nfkc_cf
train bpe-suffix --model_type=bpe --vocab_size=4000 --treat_whitespace_as_suffix --normalization_rule_name=nmt_nfkc_cf
train bpe-phrases --model_type=bpe --vocab_size=4000 --split_by_whitespace=false --add_dummy_prefix=false
train bpe-coverage --model_type=bpe --vocab_size=2000 --character_coverage=0.98 --hard_vocab_limit=false
train unigram --model_type=unigram --vocab_size=8000
train unigram-bytes --model_type=unigram --vocab_size=8000 --byte_fallback --split_digits --normalization_rule_name=identity --remove_extra_whitespaces=false
train unigram-t5 --model_type=unigram --vocab_size=8000 --pad_id=0 --eos_id=1 --unk_id=2 --bos_id=-1 --user_defined_symbols='<extra_id_0>,<extra_id_1>,<s>,<mask>'
train unigram-user --model_type=unigram --vocab_size=4000 --user_defined_symbols='<mask>,the,an,'"'"'s' --control_symbols='<sep>' --normalization_rule_name=nfkc
train unigram-phrases --model_type=unigram --vocab_size=4000 --split_by_whitespace=false --normalization_rule_name=nmt_nfkc_cf
train unigram-suffix --model_type=unigram --vocab_size=4000 --treat_whitespace_as_suffix --add_dummy_prefix=true
