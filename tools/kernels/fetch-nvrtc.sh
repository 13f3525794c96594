#!/bin/sh
# Brings NVRTC 11.8 (Debian 12: libnvrtc11.2, libnvrtc-builtins11.8; 16.6 MB) into a folder. Usage: fetch-nvrtc.sh FOLDER
set -eu
folder=${1:?usage: fetch-nvrtc.sh FOLDER}
if [ -e "$folder/libnvrtc.so.11.2" ] && [ -e "$folder/libnvrtc-builtins.so.11.8" ]; then exit 0; fi

mkdir -p "$folder"
unpacked=$(mktemp -d)
trap 'rm -rf "$unpacked"' EXIT
"$(dirname "$0")/fetch-packages.sh" "$unpacked" libnvrtc11.2 libnvrtc-builtins11.8
find "$unpacked" -name 'libnvrtc*.so.*' -exec cp -P {} "$folder" \;
test -e "$folder/libnvrtc.so.11.2"
