#!/usr/bin/env bash
# Unpacks a release archive in an empty folder and uses it in an empty environment, as on a machine without the .NET SDK and without
# a network: trains on the text inside, looks at the report, resumes, generates. ARCHIVE is a .tar.gz for this machine, or, where Wine is
# (Debian packages wine and wine64), the .zip for Windows. Prints a line per check; exit code 1 when one fails.
set -uo pipefail
archive=$(realpath "$1")
work=$(mktemp -d)
trap 'cd /; rm -rf "$work"' EXIT
cd "$work" || exit 1
run=()
text="no --data: "
case $archive in
    *.zip)
        wine=/usr/lib/wine/wine64
        [ -x "$wine" ] || { echo "Wine is not here: $(basename "$archive") is not tried"; exit 0; }
        python3 -m zipfile -e "$archive" . || exit 1
        # Wine cannot map memory twice, to write code and to run it, as .NET does by default.
        run=(env -i LC_ALL=C.UTF-8 HOME="$work" WINEPREFIX="$work/.wine" WINEDEBUG=-all DOTNET_EnableWriteXorExecute=0 "$wine")
        program=$(echo "$work"/qapollo-*/qapollo.exe)
        timeout 120 "${run[@]}" wineboot -i >/dev/null 2>&1 ;;
    *)
        tar -xf "$archive" || exit 1
        run=(env -i HOME="$work" PATH=/nowhere)
        # Without network devices and with the folders of an SDK empty, where this user may do that.
        isolate='for folder in /usr/share/dotnet /usr/lib/dotnet; do [ ! -d $folder ] || mount -t tmpfs none $folder || exit 1; done; exec "$@"'
        if unshare -rnm sh -c "$isolate" sh true 2>/dev/null; then
            run=(unshare -rnm sh -c "$isolate" sh "${run[@]}")
            echo "without network and SDK"
            text="a small text inside the program"
        fi
        program=$(echo "$work"/qapollo-*/qapollo) ;;
esac

failed=0
expect() { # NAME TEXT ARGUMENTS...
    local name=$1 text=$2
    shift 2
    if timeout 300 "${run[@]}" "$program" "$@" >output 2>&1 && grep -qF -- "$text" output; then echo "ok: $name"; else echo "FAILED: $name"; sed 's/^/    /' output; failed=1; fi
}
expect "it tells its version" "." version
expect "it trains without data, SDK and network" "done: " train --device cpu --batch-size 2 --seq-len 64 --max-steps 4 --save-every 2 --output-dir run
expect "on $text" "$text" train --device cpu --batch-size 2 --seq-len 64 --max-steps 1 --output-dir other
expect "it reports" "report.html" report run
rm -r run/step-000004
expect "it resumes" "done: " train --resume --output-dir run
expect "it generates" "We the" generate --checkpoint run --prompt "We the" --max-tokens 4
exit $failed
