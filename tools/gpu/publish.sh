#!/bin/sh
# Builds what a machine with a GPU and without .NET needs into artifacts/gpu: the program, the check program, and a text
# to train on. Self-contained, trimmed, one file each. Usage: tools/gpu/publish.sh
set -eu
cd "$(dirname "$0")/../.."
output=artifacts/gpu
rm -rf "$output"
mkdir -p "$output"

# Intermediate files lie apart, so that this does not disturb an ordinary build.
for project in src/QApollo.Cli tools/gpu/QApollo.GpuCheck; do
    dotnet publish "$project" -c Release -r linux-x64 --self-contained --artifacts-path artifacts/gpu-build -o "$output" \
        -p:PublishSingleFile=true -p:EnableCompressionInSingleFile=true -p:PublishTrimmed=true -p:DebugType=none --nologo -v quiet
done
rm -f "$output"/*.xml "$output"/*.pdb

# English text that lies here anyway; trained on, it need only be text.
cat README.md docs/*.md > "$output/text.txt"
git describe --always --dirty --abbrev=40 --exclude '*' > "$output/commit.txt"
du -h "$output"/* | sort -k2
size=$(du -sm "$output" | cut -f1)
if [ "$size" -ge 64 ]; then echo "artifacts/gpu takes $size MB; it must stay under 64" >&2; exit 1; fi
