#!/bin/sh
# stage.sh DEST copies the protos that ours import and do not own (google/api,
# google/rpc, buf/validate) into the folder DEST. They come out of Go modules
# pinned in go.mod beside this script; go.sum holds their digests, so nothing
# else is ever taken and buf needs no network.
set -eu

dest=${1:?usage: stage.sh DEST, for example .cache/protos}
here=$(cd "$(dirname "$0")" && pwd)
case $dest in
/*) ;;
*) dest=$PWD/$dest ;;
esac

cd "$here"
key=$(cat go.mod go.sum stage.sh | sha256sum | cut -d' ' -f1)
[ "$(cat "$dest/.staged" 2>/dev/null || true)" = "$key" ] && exit 0

go mod download
gateway=$(go list -m -f '{{.Dir}}' github.com/grpc-ecosystem/grpc-gateway)/third_party/googleapis
validate=$(go list -m -f '{{.Dir}}' github.com/bufbuild/protovalidate)/proto/protovalidate

rm -rf "$dest"
mkdir -p "$dest/google/api" "$dest/google/rpc" "$dest/buf/validate"
cp "$gateway/google/api/annotations.proto" "$gateway/google/api/http.proto" "$dest/google/api/"
cp "$gateway/google/rpc/status.proto" "$dest/google/rpc/"
cp "$validate/buf/validate/validate.proto" "$dest/buf/validate/"
chmod -R u+w "$dest" # the module cache is read-only
echo "$key" >"$dest/.staged"
