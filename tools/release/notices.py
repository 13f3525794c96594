#!/usr/bin/env python3
"""Prints the licences of everything that a published folder contains. Usage: notices.py PUBLISHED NUGET-PACKAGES LICENSE"""
import json
import pathlib
import sys
import xml.etree.ElementTree as xml

published, packages, own = (pathlib.Path(argument) for argument in sys.argv[1:])
# For packages without a file for it: the licence's text, below whose it is.
licences = {
    "MIT": own.read_text(encoding="utf-8").split("\n\n", 2)[2],
    "BSD-3-Clause": pathlib.Path(__file__).with_name("bsd-3-clause.txt").read_text(encoding="utf-8"),
}
libraries = json.loads((published / "qapollo.deps.json").read_text(encoding="utf-8"))["libraries"]
print("qapollo contains, beside its own code, these packages.\n")
for name, library in sorted(libraries.items()):
    if library["type"] not in ("package", "runtimepack"):
        continue
    package, version = name.removeprefix("runtimepack.").split("/")
    folder = packages / package.lower() / version
    metadata = {element.tag.split("}")[1]: (element.text or "").strip() for element in xml.parse(folder / f"{package.lower()}.nuspec").getroot()[0]}
    print("=" * 100)
    print(f"{package} {version}, by {metadata['authors']}, {metadata['license']}\n{metadata.get('copyright', '')}\n")
    texts = sorted(file for file in folder.iterdir() if file.name.upper().startswith(("LICENSE", "THIRD", "NOTICE")))
    for text in texts:
        print(text.read_text(encoding="utf-8-sig").strip() + "\n")
    if not texts:
        if metadata["license"] not in licences:
            sys.exit(f"{package} {version} has the licence {metadata['license']}, and its text is not in the package")
        print(licences[metadata["license"]])
