#!/usr/bin/env bash
# Prints the dotnet host to run programs that use LibTorchSharp with: the system's own, or, where the C++ runtime is older
# than LibTorchSharp needs (GLIBCXX_3.4.32: Debian 12, Ubuntu 22.04), a copy of it that starts under the loader and the
# runtime of Debian trixie, unpacked into a folder of their own. Nothing of the system is changed.
# Usage: host.sh FOLDER   (FOLDER keeps what was fetched). Fails, with a reason on stderr, where neither can be had.
set -euo pipefail
folder=$1
dotnet=$(readlink -f "$(command -v dotnet)")
needed=GLIBCXX_3.4.32

runtime=$(PATH=$PATH:/sbin:/usr/sbin ldconfig -p 2>/dev/null | grep -m 1 'libstdc++.so.6.*x86-64' | sed 's/.*=> //' || true)
if [ -n "$runtime" ] && grep -qa "$needed" "$runtime"; then
    echo "$dotnet"
    exit 0
fi

mkdir -p "$folder"
folder=$(cd "$folder" && pwd)
host=$folder/dotnet/dotnet
if [ ! -x "$host" ]; then
    [ "$(uname -m)" = x86_64 ] || { echo "the C++ runtime lacks $needed, and only x86-64 has the detour" >&2; exit 1; }
    command -v apt-get >/dev/null || { echo "the C++ runtime lacks $needed, and there is no apt to fetch Debian trixie's" >&2; exit 1; }
    command -v patchelf >/dev/null || { apt-get install -y -qq --no-install-recommends patchelf || { apt-get update -qq && apt-get install -y -qq --no-install-recommends patchelf; }; } >/dev/null 2>&1 ||
        { echo "patchelf cannot be had" >&2; exit 1; }
    rm -rf "$folder"
    mkdir -p "$folder/apt/lists/partial" "$folder/apt/cache/archives/partial" "$folder/packages"

    # Debian's mirror as the system has it, with another suite. Lists and cache are private: the system's stay as they are.
    mirror=$({ cat /etc/apt/sources.list /etc/apt/sources.list.d/*.{list,sources} 2>/dev/null || true; } | grep -oE '^(URIs:|deb( \[[^]]*\])?) +[a-z]+://[^ ]+' | grep -oE '[a-z]+://[^ ]+/debian/?$' | head -1 || true)
    [ -n "$mirror" ] || { echo "apt has no mirror of Debian" >&2; exit 1; }
    echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $mirror trixie main" > "$folder/apt/sources.list"
    apt=(apt-get -qq -o Dir::Etc::SourceList="$folder/apt/sources.list" -o Dir::Etc::SourceParts=/dev/null
        -o Dir::State::Lists="$folder/apt/lists" -o Dir::Cache="$folder/apt/cache" -o APT::Sandbox::User=root)
    "${apt[@]}" update >&2 && (cd "$folder/packages" && "${apt[@]}" download libc6 libstdc++6 libgcc-s1 >&2) ||
        { rm -rf "$folder"; echo "Debian trixie's libc6, libstdc++6 and libgcc-s1 cannot be had" >&2; exit 1; }
    for package in "$folder"/packages/*.deb; do dpkg -x "$package" "$folder/root"; done
    rm -rf "$folder/apt" "$folder/packages"

    # The host finds its frameworks beside itself; the first library that names the new runtime decides for the process.
    mkdir -p "$folder/dotnet"
    for part in "$(dirname "$dotnet")"/*; do ln -s "$part" "$folder/dotnet/"; done
    rm "$folder/dotnet/dotnet"
    cp "$dotnet" "$folder/dotnet/dotnet"
    libraries=$folder/root/usr/lib/x86_64-linux-gnu
    patchelf --set-interpreter "$libraries/ld-linux-x86-64.so.2" --force-rpath --set-rpath "$libraries:/usr/lib/x86_64-linux-gnu:/lib/x86_64-linux-gnu" "$folder/dotnet/dotnet"
fi
"$host" --version >/dev/null || { echo "the dotnet host does not start under Debian trixie's loader" >&2; exit 1; }
echo "$(cd "$(dirname "$host")" && pwd)/dotnet"
