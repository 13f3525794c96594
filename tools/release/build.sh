#!/usr/bin/env bash
# Builds what a release consists of into FOLDER (artifacts/release): an archive per system that needs neither the .NET SDK nor a
# network, the NuGet packages of the tool and the libraries, and SHA256SUMS. Exit code 1 when an archive is over 30 MB.
set -euo pipefail
root=$(cd "$(dirname "$0")/../.." && pwd)
out=$(mkdir -p "${1:-$root/artifacts/release}" && cd "${1:-$root/artifacts/release}" && pwd)
version=$(sed -n 's:.*<Version>\(.*\)</Version>.*:\1:p' "$root/Directory.Build.props")
limit=$((30 * 1000 * 1000))
staging=$(mktemp -d)
trap 'rm -rf "$staging"' EXIT
rm -f "$out"/qapollo-* "$out"/*.nupkg "$out"/*.snupkg "$out/SHA256SUMS"

for system in ${SYSTEMS:-linux-x64 win-x64 linux-arm64}; do
    name=qapollo-$version-$system
    dotnet publish "$root/src/QApollo.Cli" -c Release -r "$system" --self-contained -p:PublishTrimmed=true -p:PublishReadyToRun=${READY_TO_RUN:-false} -p:DebugType=none \
        -p:GenerateDocumentationFile=false -o "$staging/$name" --nologo -v quiet
    cp "$root/README.md" "$root/LICENSE" "$staging/$name/"
    # Sorted, without times and owners: the same sources give the same archive.
    case $system in
        win-*) (cd "$staging" && find "$name" -exec touch -d @0 {} + && python3 -m zipfile -c "$out/$name.zip" "$name") && archive=$name.zip ;;
        *) tar -C "$staging" --sort=name --mtime=@0 --owner=0 --group=0 --numeric-owner -cf - "$name" | gzip -9n >"$out/$name.tar.gz" && archive=$name.tar.gz ;;
    esac
    size=$(stat -c %s "$out/$archive")
    echo "$archive: $size bytes"
    [ "$size" -le "$limit" ] || { echo "$archive: more than $limit bytes" >&2; exit 1; }
done

[ -n "${SYSTEMS:-}" ] || for project in QApollo QApollo.Data QApollo.Cpu QApollo.Cuda QApollo.Cli; do
    dotnet pack "$root/src/$project" -c Release -o "$out" --nologo -v quiet
done

cd "$out"
sha256sum $(ls | grep -v SHA256SUMS) >SHA256SUMS
cat SHA256SUMS
