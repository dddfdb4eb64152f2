#!/bin/sh
# prerequisites.sh names everything that building needs and this machine lacks,
# with the commands that install it (Debian and Ubuntu).
set -eu

cd "$(dirname "$0")/../.."
go=${GO:-go}
want=$(awk '$1 == "go" { print $2; exit }' go.mod)
sudo=
[ "$(id -u)" -eq 0 ] || sudo="sudo "
missing=0

lacks() {
    missing=1
    echo "missing: $1" >&2
    echo "    install it:  $2" >&2
}

case $(uname -m) in
aarch64 | arm64) arch=arm64 ;;
*) arch=amd64 ;;
esac
install_go="curl -fsSL https://go.dev/dl/go$want.linux-$arch.tar.gz | ${sudo}tar -C /usr/local -xz && export PATH=/usr/local/go/bin:\$PATH"

if ! command -v "$go" >/dev/null 2>&1; then
    lacks "Go $want" "$install_go"
else
    # A Go that is older but can fetch the one go.mod names (1.21 and later) answers with that one's version.
    have=$("$go" env GOVERSION 2>/dev/null || "$go" version 2>/dev/null | awk '{ print $3 }')
    have=${have#go}
    have=${have%% *}
    if [ "$(printf '%s\n%s\n' "$want" "${have:-0}" | sort -V | head -n 1)" != "$want" ]; then
        lacks "Go $want or later (this is ${have:-one that cannot fetch it})" "$install_go"
    fi
fi

packages=
command -v gcc >/dev/null 2>&1 || packages="$packages gcc"
command -v g++ >/dev/null 2>&1 || packages="$packages g++"
if [ -n "$packages" ]; then
    lacks "a C and C++ compiler, for DuckDB:$packages" "${sudo}apt-get update && ${sudo}apt-get install -y$packages libc6-dev"
fi

packages=
command -v python3 >/dev/null 2>&1 || packages=" python3 python3-pip"
[ -n "$packages" ] || python3 -m pip --version >/dev/null 2>&1 || packages=" python3-pip"
if [ -n "$packages" ] && [ ! -e lib/lightgbm/lib_lightgbm.so ]; then
    lacks "Python with pip, to fetch LightGBM's library:$packages" "${sudo}apt-get update && ${sudo}apt-get install -y$packages"
fi

exit $missing
