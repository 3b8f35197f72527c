# Sourced by the other scripts, from the root of the checkout.
#
#   make_venv         the package, editable, in .venv
#   make_venv dev     the same with the development tools
#
# Does nothing when that is done already for the pyproject.toml and constraints.txt that are there.

fail() {
    echo "$(basename -- "$0"): $*" >&2
    exit 1
}

find_python() {
    local candidate
    for candidate in ${PYTHON:-} python3 python3.14 python3.13 python3.12 python3.11; do
        if "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
            echo "$candidate"
            return
        fi
    done
    fail "needs Python 3.11 or newer, found $(python3 --version 2>&1 || echo none);" \
        "install one, or name it: PYTHON=/path/to/python $0"
}

make_venv() {
    local extra=${1:-} python stamp wanted
    if ! .venv/bin/python -c 'import pip, sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
        python=$(find_python) || exit 1
        echo "making .venv with $("$python" --version)" >&2
        "$python" -m venv --clear .venv >&2 ||
            fail "cannot make .venv; Python's venv module is needed (on Debian and Ubuntu: apt-get install python3-venv)"
    fi
    wanted=$(.venv/bin/python - <<'EOF'
import hashlib, os, pathlib
files = ("pyproject.toml", "constraints.txt")
digest = hashlib.sha256(b"".join(pathlib.Path(name).read_bytes() for name in files))
digest.update(os.getcwd().encode())  # a folder that was moved is installed anew
print(digest.hexdigest())
EOF
)
    for stamp in ".venv/.installed-$extra" .venv/.installed-dev; do
        if [ "$(cat "$stamp" 2>/dev/null)" = "$wanted" ]; then
            return
        fi
    done
    echo "installing the package into .venv; the first time takes a few minutes" >&2
    rm -f .venv/.installed-*
    .venv/bin/python -m pip install --quiet --disable-pip-version-check \
        --constraint constraints.txt --editable ".${extra:+[$extra]}" >&2 ||
        fail "the installation failed; it needs a Python package index"
    echo "$wanted" >".venv/.installed-$extra"
}
