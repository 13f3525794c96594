#!/usr/bin/env bash
# Publishes the program for Windows and tries it under Wine (Debian packages wine and wine64): runs, a resume, generation, plans,
# errors and their exit codes, odd paths, files that somebody holds open, Ctrl+C. Wine is not Windows, but shares its rules
# for paths and file locks. Prints one line per check; exit code 1 when one fails.
set -uo pipefail
root=$(cd "$(dirname "$0")/../.." && pwd)
wine=/usr/lib/wine/wine64

if [ ! -x "$wine" ] && ! apt-get install -y -qq --no-install-recommends wine wine64 >/dev/null 2>&1; then
    echo "Wine does not install here: the Windows build is not tried"
    exit 0
fi

published=$root/artifacts/windows
dotnet publish "$root/src/QApollo.Cli" -c Release -r win-x64 --self-contained -o "$published" --nologo -v quiet || exit 1

# A space and letters outside ASCII in every path. UTF-8 is how Wine reads and writes names.
work=$(mktemp -d)/"Läufe von Zoë"
mkdir -p "$work"
cd "$work" || exit 1
# Wine cannot map memory twice, to write code and to run it, as .NET does by default.
export LC_ALL=C.UTF-8 WINEPREFIX=$work/.wine WINEDEBUG=-all DOTNET_EnableWriteXorExecute=0
trap 'wineserver -k 2>/dev/null; cd /; rm -rf "$(dirname "$work")"' EXIT
timeout 120 "$wine" wineboot -i >/dev/null 2>&1

cat >config.json <<'JSON'
{
  "model_type": "llama", "hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2, "num_attention_heads": 2,
  "num_key_value_heads": 1, "vocab_size": 320, "max_position_embeddings": 64, "hidden_act": "silu", "rms_norm_eps": 1e-6
}
JSON
for i in $(seq 400); do echo "Zeile $i über nichts, das sich wiederholt, Nummer $((i * 7 % 13))."; done >"mein Text.txt"

failed=0
qapollo() { timeout 120 "$wine" "$published/qapollo.exe" "$@"; }
model=(--model config.json --cache-dir "der Cache" --batch-size 2 --seq-len 16 --eval-every 0)
train() { qapollo train "${model[@]}" --data "mein Text.txt" "$@"; }
report() { # NAME RESULT: a line, and the output where it went wrong
    if [ "$2" -eq 0 ]; then echo "ok: $1"; else echo "FAILED: $1"; sed 's/^/    /' output; failed=1; fi
}
expect() { # NAME EXIT-CODE TEXT COMMAND...
    local name=$1 code=$2 text=$3
    shift 3
    "$@" >output 2>&1
    local got=$?
    echo "exit code $got" >>output
    [ $got -eq "$code" ] && grep -qF -- "$text" output && ! grep -q '^   at ' output
    report "$name" $?
}

# Where Linux's SDK lies, its documentation is found, and read as on a PC that has the SDK.
expect "the demo trains without --data" 0 "done: " env DOTNET_ROOT='Z:\usr\share\dotnet' timeout 120 "$wine" "$published/qapollo.exe" \
    train --max-steps 3 --valid-tokens 2048 --output-dir demo
expect "a run that is not interrupted" 0 "done: " train --output-dir "ganz" --max-steps 12 --save-every 4
expect "its first part" 0 "done: " train --output-dir "in Stücken" --max-steps 12 --save-every 4 --keep 0
rm -r "in Stücken/step-000008" "in Stücken/step-000012"
expect "its second part, resumed" 0 "resumed " qapollo train --resume --output-dir "in Stücken"
cmp -s "ganz/step-000012/model.safetensors" "in Stücken/step-000012/model.safetensors" \
    && cmp -s "ganz/step-000012/optimizer.safetensors" "in Stücken/step-000012/optimizer.safetensors"
report "the resumed run has the bytes of the other" $?

expect "a tokenizer of one's own" 0 "300 tokens" qapollo tokenizer train --data "mein Text.txt" --vocab-size 300 --output "Wörter/tokenizer.json"
expect "token shards" 0 "shards: " qapollo data prepare --data "mein Text.txt" --tokenizer "Wörter/tokenizer.json" --output-dir "Stücke"
expect "training on them" 0 "done: " qapollo train "${model[@]}" --data "Stücke" --tokenizer "Wörter/tokenizer.json" \
    --output-dir "mit Wörtern" --max-steps 2
expect "generation" 0 "Zeile ü" qapollo generate --checkpoint "ganz" --prompt "Zeile ü" --max-tokens 20
expect "a score" 0 "bits per byte" qapollo eval --checkpoint "ganz" --data "mein Text.txt" --max-tokens 500
expect "a plan" 0 "Device memory at the peak" qapollo plan --model 7b --batch-size 1 --budget 8GiB
expect "the presets" 0 "llama3-8b" qapollo presets

expect "an unknown option" 2 "--no-such-option" qapollo train --no-such-option
expect "missing data" 2 "nichts.txt" qapollo train --data "nichts.txt"
expect "no driver" 1 "nvcuda.dll was not found" train --device cuda --output-dir "auf der Karte"
expect "a folder that holds a run" 2 "holds a run already" train --output-dir "ganz"
cp -r "ganz" "beschädigt"
printf X | dd of="beschädigt/step-000012/optimizer.safetensors" bs=1 seek=900 conv=notrunc status=none
expect "a damaged checkpoint" 1 "does not match its checksum" qapollo train --resume --output-dir "beschädigt" --max-steps 14

# cmd opens the file without letting others delete it, for as long as ping runs.
hold() {
    "$wine" cmd /c "ping -n 30 127.0.0.1 < $1" >/dev/null 2>&1 &
    holder=$!
    sleep 2
    kill -0 $holder
    report "somebody holds $1" $?
}
hold 'ganz\step-000008\state.json'
expect "an old checkpoint that somebody reads does not end the run" 0 "done: " \
    qapollo train --resume --output-dir "ganz" --max-steps 14 --keep 1
kill $holder 2>/dev/null
wait $holder 2>/dev/null
touch "ganz/run.json.tmp"
hold 'ganz\run.json.tmp'
expect "a file that somebody keeps" 1 "run.json: cannot be written" qapollo train --resume --output-dir "ganz" --max-steps 16
kill $holder 2>/dev/null
wait $holder 2>/dev/null

# SIGINT to Wine is Ctrl+C to the program.
"$wine" "$published/qapollo.exe" train "${model[@]}" --data "mein Text.txt" --max-steps 1000000 --output-dir "angehalten" >output 2>&1 &
run=$!
for _ in $(seq 300); do grep -q '^step ' output && break; sleep 0.1; done
kill -INT $run
wait $run
[ $? -eq 130 ] && grep -q "^stopped; go on with" output && ls "angehalten"/step-*/complete.json >/dev/null
report "Ctrl+C saves and ends" $?

[ $failed -eq 0 ] && echo "Windows under Wine: all as it should be"
exit $failed
