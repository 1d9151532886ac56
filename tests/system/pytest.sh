#!/bin/sh
# SPDX-License-Identifier: MIT
# Runs one file of system tests by the Python that configure found; what was skipped is said, and why.
if [ "$PYTHON" = no ]; then
	echo "configure found no Python 3 with pytest and scapy (packages python3-pytest, python3-scapy)"
	exit 99
fi
# Without byte code or a cache in the source directory, which may be read-only.
exec env PYTHONDONTWRITEBYTECODE=1 "$PYTHON" -m pytest -p no:cacheprovider -q -rs --durations=5 "$@"
