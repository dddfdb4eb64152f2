#!/bin/sh
# testneeds.sh installs the distribution's packages that tests need, where it
# may (root or sudo without a password, on Debian and Ubuntu); elsewhere it
# names the one command.
set -eu

has_library() {
    PATH="$PATH:/sbin:/usr/sbin" ldconfig -p 2>/dev/null | grep -qF "$1" && return 0
    for dir in /lib /usr/lib /lib64 /usr/lib64 /lib/*-linux-gnu /usr/lib/*-linux-gnu; do
        [ ! -e "$dir/$1" ] || return 0
    done
    return 1
}

packages=
has_library libgomp.so.1 || packages="$packages libgomp1" # LightGBM is linked against it
command -v java >/dev/null 2>&1 || [ "${HAECHI_REQUIRE_SPARK:-}" != 1 ] || packages="$packages openjdk-17-jre-headless" # Spark runs on it
[ -n "$packages" ] || exit 0

if ! command -v apt-get >/dev/null 2>&1; then
    echo "tests need what Debian calls$packages: install it with this system's package manager" >&2
    exit 1
fi
if [ "$(id -u)" -eq 0 ]; then
    sudo=
elif command -v sudo >/dev/null 2>&1 && sudo -n true 2>/dev/null; then
    sudo=sudo
else
    echo "tests need$packages: run  sudo apt-get install -y$packages" >&2
    exit 1
fi
# shellcheck disable=SC2086
install() { $sudo env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends $packages; }
install || { $sudo apt-get update && install; }
