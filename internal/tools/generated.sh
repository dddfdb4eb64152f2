#!/bin/sh
# generated.sh fails when the generated code is not what `make generate` makes:
# it generates into a folder of its own and compares.
set -eu

cd "$(dirname "$0")/../.."
fresh=.cache/generated
generated() { (cd "$1" && find proto \( -name '*.pb.go' -o -name '*.pb.gw.go' -o -name '*.swagger.json' \) | sort); }

rm -rf "$fresh"
mkdir -p "$fresh"
for template in buf.gen.yaml proto/haechi/v1/openapi/buf.gen.yaml; do
    go tool -modfile=internal/tools/go.mod buf generate --template "$template" --output "$fresh"
done

stale=
for file in $( { generated . && generated "$fresh"; } | sort -u); do
    cmp -s "$file" "$fresh/$file" || stale="$stale $file"
done
rm -rf "$fresh"
[ -z "$stale" ] && exit 0
echo "generated code is out of date: run  make generate  and commit${stale}" >&2
exit 1
