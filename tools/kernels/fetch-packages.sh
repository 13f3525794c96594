#!/bin/sh
# Unpacks packages of Debian 12, those of its non-free part too, into a folder, without installing anything and without touching the
# system's package lists. Usage: fetch-packages.sh FOLDER PACKAGE...
set -eu
folder=${1:?usage: fetch-packages.sh FOLDER PACKAGE...}
shift
mkdir -p "$folder"
folder=$(cd "$folder" && pwd)

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir -p "$work/lists/partial" "$work/cache/archives/partial"
# The archive that the system itself uses, with the components that hold NVIDIA's tools.
archive=$(apt-get indextargets --format '$(REPO_URI) $(RELEASE)' | awk '$2 == "bookworm" { print $1; exit }')
test -n "$archive" || { echo "fetch-packages: this system's package lists name no bookworm archive; run apt-get update on Debian 12" >&2; exit 1; }
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
apt-get -qq download "$@"
for package in *.deb; do dpkg -x "$package" "$folder"; done
