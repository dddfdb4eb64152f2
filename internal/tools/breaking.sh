#!/bin/sh
# breaking.sh BASE compares the protos with those of the commit BASE (main
# unless told) and fails where a caller or a log record of then would break.
# The protos of others are not in git: the staged ones stand in for both sides.
set -eu

cd "$(dirname "$0")/../.."
base=${1:-main}
old=.cache/breaking

git rev-parse --verify --quiet "$base^{commit}" >/dev/null || base=origin/$base
if ! git rev-parse --verify --quiet "$base^{commit}" >/dev/null ||
    [ -z "$(git ls-tree -r --name-only "$base" -- proto buf.yaml | grep -x buf.yaml)" ]; then
    echo "buf breaking: skipped, there is no previous version of the protos (${1:-main})"
    exit 0
fi

rm -rf "$old"
mkdir -p "$old/.cache"
git archive "$base" -- proto buf.yaml | tar -x -C "$old"
cp -R .cache/protos "$old/.cache/protos"
go tool -modfile=internal/tools/go.mod buf breaking --against "$old"
rm -rf "$old"
