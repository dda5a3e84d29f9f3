#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# Installs what is missing, builds with warnings as errors, runs all tests. `--unit` leaves out those in namespaces.
set -euo pipefail
cd "$(dirname "$0")/.."

usage() { echo "usage: scripts/test.sh [--unit]   (needs root for installing and for network namespaces)"; }
unit_only=no
case ${1:-} in
'') ;;
--unit) unit_only=yes ;;
--help) usage; exit 0 ;;
*) usage >&2; exit 2 ;;
esac

scripts/setup
[ -d build ] || meson setup build
meson compile -C build
scripts/layers.py
meson test -C build --print-errorlogs --suite unit --suite stress
[ "$unit_only" = yes ] && exit 0
export NEARCAST_BUILD=$PWD/build
/usr/bin/python3 -m pytest -q -rs tests/e2e tests/interop
