#!/usr/bin/env bash
# Uses the NuGet packages of FOLDER as their users do, away from the repository: looks into them, installs the tool and trains with it,
# and compiles and runs the program of the packages' own readme against the libraries. Packages land in folders of their own.
# Prints a line per check, which begins with "ok: " or "FAILED: "; exit code 1 when one fails.
set -uo pipefail
folder=$(realpath "$1")
root=$(cd "$(dirname "$0")/../.." && pwd)
version=$(sed -n 's:.*<Version>\(.*\)</Version>.*:\1:p' "$root/Directory.Build.props")
work=$(mktemp -d)
trap 'cd /; rm -rf "$work"' EXIT
cd "$work" || exit 1
# Packages of this version that some earlier build left in the user's folder must not stand in for these.
export NUGET_PACKAGES=$work/packages DOTNET_CLI_HOME=$work/home DOTNET_NOLOGO=1 DOTNET_CLI_TELEMETRY_OPTOUT=1 DOTNET_SKIP_FIRST_TIME_EXPERIENCE=1

failed=0
report() { # NAME RESULT: a line, and the output where it went wrong
    if [ "$2" -eq 0 ]; then echo "ok: $1"; else echo "FAILED: $1"; sed 's/^/    /' output; failed=1; fi
}

python3 - "$folder" "$version" >output 2>&1 <<'PY'
import pathlib
import re
import sys
import zipfile

folder, version = pathlib.Path(sys.argv[1]), sys.argv[2]
# What each package may depend on.
expected = {
    "QApollo.Core": set(),
    "QApollo.Cpu": {"QApollo.Core"},
    "QApollo.Cuda": {"QApollo.Core"},
    "QApollo.Parallel": {"QApollo.Core", "QApollo.Cuda"},
    "QApollo.Data": {
        "QApollo.Core", "CommunityToolkit.HighPerformance", "ParquetSharp", "ZstdSharp.Port", "Microsoft.ML.Tokenizers.Data.Cl100kBase",
        "Microsoft.ML.Tokenizers.Data.O200kBase", "Microsoft.ML.Tokenizers.Data.R50kBase",
    },
    "qapollo": set(),
}
found = {path.name.removesuffix(f".{version}.nupkg") for path in folder.glob("*.nupkg")}
assert found == set(expected), f"packages: {sorted(found)}"
for name, dependencies in expected.items():
    with zipfile.ZipFile(folder / f"{name}.{version}.nupkg") as package:
        names = set(package.namelist())
        nuspec = package.read(f"{name}.nuspec").decode("utf-8-sig")
    assert set(re.findall(r'<dependency id="([^"]+)"', nuspec)) == dependencies, f"{name}: {nuspec}"
    assert '<license type="expression">MIT</license>' in nuspec and "<readme>README.md</readme>" in nuspec and "projectUrl" not in nuspec and ' url="' not in nuspec, nuspec
    folder_of_code = "tools/net10.0/any" if name == "qapollo" else "lib/net10.0"
    for file in ["README.md", "LICENSE", f"{folder_of_code}/{name}.dll", *([] if name == "qapollo" else [f"{folder_of_code}/{name}.xml"])]:
        assert file in names, f"{name}: {file} is missing among {sorted(names)}"
    with zipfile.ZipFile(folder / f"{name}.{version}.snupkg") as symbols:
        assert f"{folder_of_code}/{name}.pdb" in symbols.namelist(), f"{name}: {symbols.namelist()}"
    print(name, sorted(dependencies))
PY
report "each package has its dependencies, readme, licence, documentation and symbols" $?

timeout 300 dotnet tool install qapollo --tool-path tool --add-source "$folder" --version "$version" >output 2>&1
report "the tool installs" $?
timeout 300 tool/qapollo version >output 2>&1 && grep -qF "$version" output
report "it tells its version" $?
timeout 300 tool/qapollo train --device cpu --batch-size 2 --seq-len 64 --max-steps 3 --output-dir run >output 2>&1 && grep -qF "done: " output
report "it trains" $?

mkdir consumer
cat >consumer/consumer.csproj <<XML
<Project Sdk="Microsoft.NET.Sdk">
  <PropertyGroup>
    <OutputType>Exe</OutputType>
    <TargetFramework>net10.0</TargetFramework>
    <Nullable>enable</Nullable>
    <ImplicitUsings>enable</ImplicitUsings>
    <RestoreAdditionalProjectSources>$folder</RestoreAdditionalProjectSources>
  </PropertyGroup>
  <ItemGroup>
    <PackageReference Include="QApollo.Data" Version="$version" />
    <PackageReference Include="QApollo.Cpu" Version="$version" />
    <PackageReference Include="QApollo.Cuda" Version="$version" />
    <PackageReference Include="QApollo.Parallel" Version="$version" />
  </ItemGroup>
</Project>
XML
sed -n '/^```csharp/,/^```$/p' "$root/docs/package.md" | grep -v '^```' >consumer/Program.cs
dotnet run --project consumer -c Release -- "$root/LICENSE" >output 2>&1 && grep -q "^step 5: loss" output
report "the readme's program compiles against the libraries and trains" $?
exit $failed
