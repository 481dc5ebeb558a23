#!/usr/bin/env bash
# Compile requirements.in into requirements.txt: exact pins, and nothing about the machine that wrote it.
set -euo pipefail
cd "$(dirname "$0")/.."

trap 'rm -f requirements.new' EXIT
cp requirements.txt requirements.new          # pins that still fit stay as they are
.venv/bin/python -m piptools compile --quiet --strip-extras --no-header --annotation-style=line \
    --no-emit-index-url --no-emit-find-links --no-emit-trusted-host --output-file requirements.new requirements.in
{
    echo "# The one environment that CI, readers and the site share: every package that requirements.in brings, pinned exactly."
    echo "# Written by \`make lock\`. On Linux, \`make book TORCH=cpu\` installs the same PyTorch without its gigabytes of CUDA."
    # PyTorch's local version (+cpu) names one build of it, and other machines need another.
    sed -e '/^# The following/,$d' -e '/^$/d' requirements.new |
        awk '/^torch==/ { sub(/\+[a-z0-9]+/, "", $1); pin = $1; $1 = ""; printf "%-25s%s\n", pin, $0; next } { print }'
} >requirements.lock
mv requirements.lock requirements.txt
