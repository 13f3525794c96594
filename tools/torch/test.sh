#!/usr/bin/env bash
# Builds the Torch device with libtorch for the CPU and runs its tests: contracts, goldens, parity, resuming, its command line.
# Everything is kept below artifacts/, apart from the ordinary build. Where the C++ runtime of the system is older than
# LibTorchSharp needs, that of Debian trixie is used (host.sh).
# Usage: test.sh [FOLDER for the result file]   Exit code 3: a package cannot be had here, and nothing was run.
set -euo pipefail
cd "$(dirname "$0")/../.."
results=$(realpath -m "${1:-artifacts/torch/test-results}")
log=artifacts/torch/restore.log
mkdir -p artifacts/torch

host=$(tools/torch/host.sh artifacts/torch-runtime 2>"$log") || { echo "Torch tests are not run here: $(tail -1 "$log")"; exit 3; }
# The solution's own build has the analyzers.
build=(-p:Torch=cpu -p:RunAnalyzers=false --artifacts-path artifacts/torch)
dotnet restore tests/QApollo.Torch.Tests "${build[@]}" >"$log" || { echo "Torch tests are not run here: $(grep -m 1 -o 'error .*' "$log")"; exit 3; }
dotnet build tests/QApollo.Torch.Tests --no-restore -c Release --nologo -v quiet "${build[@]}"
dotnet vstest artifacts/torch/bin/QApollo.Torch.Tests/release/QApollo.Torch.Tests.dll --logger:trx --ResultsDirectory:"$results" \
    -- RunConfiguration.DotNetHostPath="$host"
