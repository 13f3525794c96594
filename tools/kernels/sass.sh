#!/bin/sh
# What the assembler makes of the shipped PTX: sass.py, with ptxas and nvdisasm 11.8 of Debian 12 (non-free: nvidia-cuda-toolkit, 166 MB
# unpacked) in artifacts/toolkit. Usage: sass.sh write | show KERNEL [ARCHITECTURE] | first-start
set -eu
here=$(cd "$(dirname "$0")" && pwd)
toolkit=$here/../../artifacts/toolkit
test -x "$toolkit/usr/bin/nvdisasm" || "$here/fetch-packages.sh" "$toolkit" nvidia-cuda-toolkit
exec python3 "$here/sass.py" "$toolkit/usr/bin" "$@"
