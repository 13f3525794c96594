#!/usr/bin/env bash
# Unpacks a release archive in an empty folder and uses it in an empty environment, as on a machine without the .NET SDK and without
# a network: trains on the text inside, stops by Ctrl+C, resumes, reports, generates. ARCHIVE is one for this machine, the .zip for Windows
# where Wine is (Debian packages wine and wine64), or the one for linux-arm64 where qemu-user-static and libstdc++6-arm64-cross are
# (ARM64_OPENSSL: the folder of an unpacked libssl3 for arm64).
# Prints a line per check, which begins with "ok: " or "FAILED: "; exit code 1 when one fails.
set -uo pipefail
archive=$(realpath "$1")
top=$(mktemp -d)
trap 'cd /; rm -rf "$top"' EXIT
work="$top/a folder with spaces"
mkdir "$work"
cd "$work" || exit 1
# What starts the program: nothing of this environment but a home.
run=(env -i HOME="$work" PATH=/nowhere)
text="no --data: "
case $archive in
    *.zip) python3 -m zipfile -e "$archive" . || exit 1 ;;
    *) tar -xf "$archive" || exit 1 ;;
esac

case $archive in
    *win-x64*)
        wine=/usr/lib/wine/wine64
        [ -x "$wine" ] || { echo "Wine is not here: $(basename "$archive") is not tried"; exit 0; }
        # Wine cannot map memory twice, to write code and to run it, as .NET does by default.
        run=(env -i LC_ALL=C.UTF-8 HOME="$work" WINEPREFIX="$top/.wine" WINEDEBUG=-all DOTNET_EnableWriteXorExecute=0 "$wine")
        trap 'WINEPREFIX="$top/.wine" wineserver -k 2>/dev/null; cd /; rm -rf "$top"' EXIT
        timeout 120 "${run[@]}" wineboot -i >/dev/null 2>&1 ;;
    *linux-arm64*)
        if [ "$(uname -m)" != aarch64 ]; then
            emulator=$(command -v qemu-aarch64-static) || { echo "qemu-aarch64-static is not here: $(basename "$archive") is not tried"; exit 0; }
            run+=(QEMU_LD_PREFIX=/usr/aarch64-linux-gnu LD_LIBRARY_PATH="${ARM64_OPENSSL:-}" "$emulator")
        fi ;;
    *)
        # Without network devices and with the folders of an SDK empty, where this user may do that.
        isolate='for folder in /usr/share/dotnet /usr/lib/dotnet; do [ ! -d $folder ] || mount -t tmpfs none $folder || exit 1; done; exec "$@"'
        if unshare -rnm sh -c "$isolate" sh true 2>/dev/null; then
            run=(unshare -rnm sh -c "$isolate" sh "${run[@]}")
            echo "without network and SDK"
            text="a small text inside the program"
        fi ;;
esac
program=$(echo "$work"/qapollo-*/)qapollo
[ -f "$program" ] || program=$program.exe

failed=0
report() { # NAME RESULT: a line, and the output where it went wrong
    if [ "$2" -eq 0 ]; then echo "ok: $1"; else echo "FAILED: $1"; sed 's/^/    /' output; failed=1; fi
}
expect() { # NAME TEXT ARGUMENTS...
    local name=$1 text=$2
    shift 2
    timeout 300 "${run[@]}" "$program" "$@" >output 2>&1 && grep -qF -- "$text" output
    report "$name" $?
}
# Presses Ctrl+C after the first step. A shell's own background jobs would not see it.
interrupt='import signal, subprocess, sys
with subprocess.Popen(sys.argv[1:], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as run:
    for line in run.stdout:
        print(line, end="", flush=True)
        if line.startswith("step 1/"):
            run.send_signal(signal.SIGINT)
sys.exit(run.returncode)'

expect "it tells its version" "." version
expect "it plans" "Device memory at the peak" plan --model 7b --batch-size 1 --budget 9GiB
# Little of everything: an emulated machine trains 20 tokens a second.
small=(--device cpu --batch-size 2 --seq-len 64 --valid-tokens 256 --sample-tokens 8)
expect "it trains by itself: $text" "$text" train "${small[@]}" --max-steps 4 --output-dir run
timeout 300 python3 -c "$interrupt" "${run[@]}" "$program" train "${small[@]}" --max-steps 1000000 --output-dir stopped >output 2>&1
[ $? -eq 130 ] && grep -qF "stopped; go on with" output && ls stopped/step-*/complete.json >>output
report "Ctrl+C saves and ends" $?
steps=$(ls -d stopped/step-* | tail -1 | sed 's/.*step-0*//')
expect "it resumes" "done: " train --resume --output-dir stopped --max-steps $((steps + 2))
[ -s run/report.html ] && grep -q '</html>' run/report.html
report "a run leaves its report" $?
expect "it reports on two runs" "both.html" report run stopped --output both.html
expect "it generates" "We the" generate --checkpoint run --prompt "We the" --max-tokens 4
exit $failed
