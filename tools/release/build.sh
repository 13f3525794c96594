#!/usr/bin/env bash
# Builds what a release consists of into FOLDER (artifacts/release): an archive per system that needs neither the .NET SDK nor a
# network, the NuGet packages of the tool and the libraries, and SHA256SUMS. Exit code 1 when an archive is over 30 MB.
# SYSTEMS chooses the archives, and leaves the packages out; SYSTEMS= builds the packages alone.
# Intermediate files lie below artifacts/, so that this does not disturb an ordinary build.
set -euo pipefail
root=$(cd "$(dirname "$0")/../.." && pwd)
out=$(mkdir -p "${1:-$root/artifacts/release}" && cd "${1:-$root/artifacts/release}" && pwd)
version=$(sed -n 's:.*<Version>\(.*\)</Version>.*:\1:p' "$root/Directory.Build.props")
limit=$((30 * 1000 * 1000))
staging=$(mktemp -d)
trap 'rm -rf "$staging"' EXIT
rm -f "$out"/qapollo-* "$out"/*.nupkg "$out"/*.snupkg "$out/SHA256SUMS"
zip='import pathlib, sys, zipfile
staging, name, archive = sys.argv[1:]
with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
    for file in sorted(pathlib.Path(staging, name).rglob("*")):
        if file.is_file():
            archive.write(file, file.relative_to(staging))'
# The solution's own build has the analyzers.
build=(-c Release --artifacts-path "$root/artifacts/release-build" -p:RunAnalyzers=false --nologo -v quiet)

for system in ${SYSTEMS-linux-x64 win-x64 linux-arm64}; do
    name=qapollo-$version-$system
    dotnet publish "$root/src/QApollo.Cli" "${build[@]}" -r "$system" --self-contained -p:PublishTrimmed=true -p:PublishReadyToRun=true \
        -p:DebugType=none -p:GenerateDocumentationFile=false -o "$staging/$name"
    cp "$root/LICENSE" "$staging/$name/"
    cp "$root/docs/package.md" "$staging/$name/README.md"
    python3 "$root/tools/release/notices.py" "$staging/$name" "$(dotnet nuget locals global-packages --list | sed 's/^[^:]*: //')" "$root/LICENSE" \
        >"$staging/$name/THIRD-PARTY-NOTICES.txt"
    # Sorted, without times, owners and this user's mask: the same files give the same archive.
    find "$staging/$name" -type d -exec chmod 755 {} +
    find "$staging/$name" -type f ! -name qapollo -exec chmod 644 {} +
    find "$staging/$name" -exec touch -d "2000-01-01 UTC" {} +
    case $system in
        win-*) TZ=UTC python3 -c "$zip" "$staging" "$name" "$out/$name.zip" && archive=$name.zip ;;
        *) tar -C "$staging" --sort=name --owner=0 --group=0 --numeric-owner -cf - "$name" | gzip -9n >"$out/$name.tar.gz" && archive=$name.tar.gz ;;
    esac
    size=$(stat -c %s "$out/$archive")
    echo "$archive: $size bytes"
    [ "$size" -le "$limit" ] || { echo "$archive: more than $limit bytes" >&2; exit 1; }
done

[ -n "${SYSTEMS:-}" ] || for project in QApollo QApollo.Data QApollo.Cpu QApollo.Cuda QApollo.Parallel QApollo.Cli; do
    dotnet pack "$root/src/$project" "${build[@]}" -o "$out"
done

cd "$out"
sha256sum $(ls | grep -v SHA256SUMS) >SHA256SUMS
cat SHA256SUMS
