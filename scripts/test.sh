#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# Installs what is missing, builds with warnings as errors, runs all tests.
set -euo pipefail
cd "$(dirname "$0")/.."

scripts/setup
[ -d build ] || meson setup build
meson compile -C build
scripts/layers.py
meson test -C build --print-errorlogs
