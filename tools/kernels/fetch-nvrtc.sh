#!/bin/sh
# Unpacks NVRTC 11.8 (Debian 12: libnvrtc11.2, libnvrtc-builtins11.8; 16.6 MB) into a folder, without installing
# anything and without touching the system's package lists. Usage: fetch-nvrtc.sh FOLDER
set -eu
folder=${1:?usage: fetch-nvrtc.sh FOLDER}
mkdir -p "$folder"
folder=$(cd "$folder" && pwd)
if [ -e "$folder/libnvrtc.so.11.2" ] && [ -e "$folder/libnvrtc-builtins.so.11.8" ]; then exit 0; fi

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir -p "$work/lists/partial" "$work/cache/archives/partial"
# The archive that the system itself uses, with the components that hold NVRTC.
archive=$(apt-get indextargets --format '$(REPO_URI) $(RELEASE)' | awk '$2 == "bookworm" { print $1; exit }')
test -n "$archive" || { echo "fetch-nvrtc: this system's package lists name no bookworm archive; run apt-get update on Debian 12" >&2; exit 1; }
echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $archive bookworm main contrib non-free" > "$work/sources.list"
cat > "$work/apt.conf" <<EOF
Dir::Etc::SourceList "$work/sources.list";
Dir::Etc::SourceParts "/dev/null";
Dir::State::Lists "$work/lists";
Dir::Cache "$work/cache";
APT::Sandbox::User "root";
APT::Architecture "amd64";
EOF
export APT_CONFIG="$work/apt.conf"
apt-get -qq update
cd "$work"
apt-get -qq download libnvrtc11.2 libnvrtc-builtins11.8
for package in *.deb; do dpkg -x "$package" unpacked; done
find unpacked -name 'libnvrtc*.so.*' -exec cp -P {} "$folder" \;
test -e "$folder/libnvrtc.so.11.2"
