#!/bin/sh
# install.sh DEST puts lib_lightgbm.so of the pinned wheel into the folder DEST
# (lib/lightgbm of the project). It does nothing when the library there is the
# one it recorded for this requirements.txt, and an interrupted run leaves
# either the old library or the new one.
set -eu

dest=${1:?usage: install.sh DEST, for example lib/lightgbm}
here=$(cd "$(dirname "$0")" && pwd)
requirements=$here/requirements.txt
library=$dest/lib_lightgbm.so
record=$dest/lib_lightgbm.sha256 # two words: digest of the library, digest of the requirements

fail() {
    echo "lightgbm: $1" >&2
    exit 1
}

digest() { sha256sum "$1" | cut -d' ' -f1; }

# sudo is named only where it is needed.
apt="apt-get install -y"
[ "$(id -u)" -eq 0 ] || apt="sudo $apt"

has_gomp() {
    { PATH="$PATH:/sbin:/usr/sbin" ldconfig -p 2>/dev/null || true; } | grep -q 'libgomp\.so\.1' && return 0
    for dir in /lib /usr/lib /lib/*-linux-gnu /usr/lib/*-linux-gnu /lib64 /usr/lib64; do
        [ -e "$dir/libgomp.so.1" ] && return 0
    done
    return 1
}

if [ -f "$library" ] && [ -f "$record" ] &&
    [ "$(cat "$record")" = "$(digest "$library") $(digest "$requirements")" ]; then
    # Python and pip are not needed any more, libgomp is.
    has_gomp || fail "libgomp.so.1 is missing: run  $apt libgomp1"
    exit 0
fi

missing=
command -v python3 >/dev/null 2>&1 || missing="$missing python3 python3-pip"
if [ -z "$missing" ] && ! python3 -m pip --version >/dev/null 2>&1; then
    missing="$missing python3-pip"
fi
has_gomp || missing="$missing libgomp1"
[ -z "$missing" ] || fail "missing prerequisites: run  $apt$missing"

mkdir -p "$dest"
work=$(mktemp -d "$dest/.install.XXXXXX")
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

python3 -m pip --disable-pip-version-check download --quiet --no-deps --require-hashes \
    --only-binary=:all: --dest "$work" --requirement "$requirements" ||
    fail "the wheel could not be downloaded or has another digest than requirements.txt: see above"

python3 - "$work" <<'PY'
import glob, shutil, sys, zipfile
work = sys.argv[1]
wheels = glob.glob(work + "/*.whl")
if len(wheels) != 1:
    sys.exit("lightgbm: expected one wheel, got %d" % len(wheels))
with zipfile.ZipFile(wheels[0]) as wheel:
    with wheel.open("lightgbm/lib/lib_lightgbm.so") as src, open(work + "/lib_lightgbm.so", "wb") as dst:
        shutil.copyfileobj(src, dst)
PY

chmod 0755 "$work/lib_lightgbm.so"
echo "$(digest "$work/lib_lightgbm.so") $(digest "$requirements")" >"$work/record"
# The library first: without a matching record the next run installs again.
mv -f "$work/lib_lightgbm.so" "$library"
mv -f "$work/record" "$record"
echo "lightgbm: installed $library"
