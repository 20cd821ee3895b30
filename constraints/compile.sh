#!/usr/bin/env bash
# Writes the pinned requirements of this folder again: name, version and sha256 of every file
# that pip may choose, for all supported Pythons and platforms, and no addresses.
# Usage: make constraints [ARGS=--upgrade]
set -euo pipefail
cd "$(dirname "$0")/.."

compile() { # OUTPUT SOURCE... [OPTIONS...]
    local output=$1
    shift
    echo "constraints/$output"
    uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
        --no-header --no-annotate --no-emit-index-url --no-emit-find-links \
        --no-emit-package glam-worker --output-file "constraints/$output" "$@"
}

# One resolution decides every version; the other files are parts of it.
compile dev.txt pyproject.toml --all-extras "$@"
compile worker.txt pyproject.toml --constraint constraints/dev.txt
compile build.txt constraints/build.in --constraint constraints/dev.txt
compile demo.txt pyproject.toml constraints/build.in constraints/demo.in --extra embedded --extra http \
    --constraint constraints/dev.txt
