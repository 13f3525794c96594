#!/bin/sh
# Builds the machine that runs PTX text, behind the facades of driver and cuBLASLt, into a shared library.
# Usage: build.sh OUTPUT.so [COMPILER]
set -eu
output=${1:?usage: build.sh OUTPUT.so [COMPILER]}
compiler=${2:-g++}
machine=$(cd "$(dirname "$0")" && pwd)
driver=$(cd "$machine/../QApollo.Driver" && pwd)
objects="$output.objects"
mkdir -p "$objects"

# Arithmetic is that of the PTX text, instruction by instruction: nothing may be fused, reordered or computed beforehand in another rounding.
flags="-std=c++17 -O2 -g1 -fPIC -fvisibility=hidden -ffp-contract=off -frounding-math -fno-strict-aliasing -Wall -pthread"
newest_header=$(ls -t "$machine"/*.h "$driver"/*.h | head -n 1)
outdated=""
for source in "$machine"/*.cpp "$driver"/*.cpp; do
    object="$objects/$(basename "$source").o"
    if [ ! -e "$object" ] || [ "$source" -nt "$object" ] || [ "$newest_header" -nt "$object" ]; then outdated="$outdated $source"; fi
done
printf '%s\n' $outdated | xargs -r -n 1 -P 2 sh -c '
    "$0" '"$flags"' -I "'"$machine"'" -I "'"$driver"'" -c "$1" -o "'"$objects"'/$(basename "$1").o.new" &&
    mv "'"$objects"'/$(basename "$1").o.new" "'"$objects"'/$(basename "$1").o"' "$compiler"
"$compiler" -shared -pthread -o "$output.new" "$objects"/*.o
mv "$output.new" "$output"
