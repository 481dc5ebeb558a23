#!/usr/bin/env bash
# Make .venv hold exactly what requirements.txt says, and the package from src/ in editable form.
#
# Cheap to repeat: a stamp, written last, remembers what was installed, and nothing happens while it still holds.
# Safe to interrupt: a marker stands while pip works, and an environment that still carries it is made anew.
#
#   PYTHON=python3.12   which Python to make it with (default: the first of 3.11 to 3.13 on the path)
#   TORCH=cpu           PyTorch without CUDA, from the wheel index that binder/requirements.txt names
set -euo pipefail
cd "$(dirname "$0")/.."

venv=.venv
python=$venv/bin/python
stamp=$venv/.installed
marker=$venv/.installing

say() { printf '\033[1m==> %s\033[0m\n' "$*"; }
die() { printf 'error: %s\n' "$*" >&2; exit 1; }

# What the stamp must say: the place (an editable install knows its path), the pins and the package's own settings.
wanted() { pwd; cat requirements.txt pyproject.toml; }

if [[ -x $python && ! -e $marker ]] && wanted | cmp -s - "$stamp"; then
    exit 0
fi

index=
if [[ ${TORCH:-} == cpu ]]; then
    index=$(sed -n 's/^--extra-index-url[ =]*//p' binder/requirements.txt 2>/dev/null | head -n 1)
    [[ -n $index ]] || die "TORCH=cpu: binder/requirements.txt names no --extra-index-url to take PyTorch's CPU wheels from"
elif [[ -n ${TORCH:-} ]]; then
    die "TORCH=$TORCH is not known: leave it out, or say TORCH=cpu"
fi

find_python() {
    local candidate seen=
    for candidate in ${PYTHON:-python3 python3.13 python3.12 python3.11 python}; do
        command -v "$candidate" >/dev/null || continue
        if "$candidate" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' 2>/dev/null; then
            printf '%s' "$candidate"
            return
        fi
        seen+=" $candidate is $("$candidate" -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2>/dev/null || echo unusable),"
    done
    die "this course needs Python 3.11, 3.12 or 3.13, and found:${seen:- no Python,} so nothing was installed." \
        "Install one of them, or name it: make book PYTHON=/path/to/python3.12"
}

if [[ ! -x $python || -e $marker ]] || ! "$python" -c 'import pip' 2>/dev/null; then
    base=$(find_python)
    "$base" -c 'import venv, ensurepip' 2>/dev/null ||
        die "$base comes without the venv module. On Debian and Ubuntu: apt install python3-venv"
    say "Making $venv with $("$base" --version)"
    mkdir -p "$venv"
    touch "$marker"
    "$base" -m venv --clear "$venv"
fi
touch "$marker"

pip=("$python" -m pip install --disable-pip-version-check --no-warn-script-location)
[[ -z $index ]] || pip+=(--extra-index-url "$index")

say "Installing what requirements.txt pins (the first time takes minutes)"
"${pip[@]}" --requirement requirements.txt
say "Installing the package from src/"
"${pip[@]}" --quiet --no-deps --no-build-isolation --editable .

# Every kernel says that it talks to its parent without encryption. The two are on one machine: keep that out of the logs.
mkdir -p "$venv/etc/ipython"
echo 'c.IPKernelApp.log_level = "ERROR"' >"$venv/etc/ipython/ipython_kernel_config.py"

wanted >"$stamp"
rm -f "$marker"
