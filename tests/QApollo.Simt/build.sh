#!/bin/sh
# Builds the emulator: every kernel file and the facades of driver and cuBLASLt into one shared library. Objects are rebuilt when their
# source or any header is newer. Usage: build.sh KERNELS OUTPUT.so [COMPILER]
set -eu
kernels=$(cd "${1:?usage: build.sh KERNELS OUTPUT.so [COMPILER]}" && pwd)
output=${2:?usage: build.sh KERNELS OUTPUT.so [COMPILER]}
compiler=${3:-g++}
emulator=$(cd "$(dirname "$0")" && pwd)
driver=$(cd "$emulator/../QApollo.Driver" && pwd)
objects="$output.objects"
mkdir -p "$objects"

# No fusing or reordering of arithmetic: results must be those of -fmad=false on the GPU.
flags="-std=c++17 -O2 -g1 -fPIC -fvisibility=hidden -ffp-contract=off -fno-strict-aliasing -Wall -Wno-unknown-pragmas -Wno-unused-function -pthread"
newest_header=$(ls -t "$kernels"/*.h "$emulator"/*.h "$driver"/*.h | head -n 1)
outdated=""
for source in "$kernels"/*.cu "$driver"/*.cpp; do
    object="$objects/$(basename "$source").o"
    if [ ! -e "$object" ] || [ "$source" -nt "$object" ] || [ "$newest_header" -nt "$object" ]; then outdated="$outdated $source"; fi
done
printf '%s\n' $outdated | xargs -r -n 1 -P 2 sh -c '
    "$0" '"$flags"' -I "'"$emulator"'" -I "'"$driver"'" -I "'"$kernels"'" -x c++ -c "$1" -o "'"$objects"'/$(basename "$1").o.new" &&
    mv "'"$objects"'/$(basename "$1").o.new" "'"$objects"'/$(basename "$1").o"' "$compiler"
"$compiler" -shared -pthread -o "$output.new" "$objects"/*.o
mv "$output.new" "$output"
