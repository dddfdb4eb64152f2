#!/bin/sh
# install.sh DEST makes a Python environment with Spark in the folder DEST (lib/spark of the project), for tests alone.
# It does nothing when the one there was made from this requirements.txt. Without Java there is nothing to make: the test
# is then skipped, with a word, unless HAECHI_REQUIRE_SPARK=1.
set -eu

dest=${1:?usage: install.sh DEST, for example lib/spark}
requirements=$(cd "$(dirname "$0")" && pwd)/requirements.txt
record=$dest/requirements.sha256

digest=$(sha256sum "$requirements" | cut -d' ' -f1)
if [ -f "$record" ] && [ "$(cat "$record")" = "$digest" ]; then
    exit 0
fi
if ! command -v java >/dev/null 2>&1; then
    [ "${HAECHI_REQUIRE_SPARK:-}" != 1 ] || { echo "spark: java is missing" >&2; exit 1; }
    echo "spark: no java, so the test under Spark is skipped; on Debian: apt-get install -y openjdk-17-jre-headless" >&2
    exit 0
fi
rm -rf "$dest"
mkdir -p "$(dirname "$dest")"
if ! python3 -m venv "$dest" || ! "$dest/bin/python" -m pip --disable-pip-version-check install --quiet --require-hashes --requirement "$requirements"; then
    rm -rf "$dest"
    [ "${HAECHI_REQUIRE_SPARK:-}" != 1 ] || exit 1
    echo "spark: could not be installed (python3-venv is needed, and the packages): the test under Spark is skipped" >&2
    exit 0
fi
echo "$digest" >"$record"
echo "spark: installed in $dest"
