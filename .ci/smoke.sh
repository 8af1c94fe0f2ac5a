#!/usr/bin/env bash
# The installed package in an empty environment: ENVIRONMENT/bin/runopsy reads, judges, explains, writes pages.
set -euo pipefail
bin=$(cd "$1/bin" && pwd) samples=$(cd "$(dirname "$0")/../sample_logs" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work" # away from the sources
"$bin/python" -c 'import importlib.util as u; assert u.find_spec("torch") is None, "torch is here: this shows nothing"'
"$bin/runopsy" --version
"$bin/runopsy" analyze "$samples/grokking"
"$bin/runopsy" analyze "$samples/overfitting" --format json | "$bin/python" -c 'import json, sys; assert json.load(sys.stdin)["verdict"] == "overfit"'
"$bin/runopsy" report "$samples/spike" -o page.html -q
"$bin/runopsy" report "$samples/spike" -o page.md -q
"$bin/runopsy" diff "$samples/healthy" "$samples/overfitting" > difference.txt
"$bin/runopsy" redact "$samples/healthy" -o bare.csv -q
"$bin/runopsy" explain features/effective_rank > explained.txt
for command in analyze diff report signals import redact rules explain lab; do "$bin/runopsy" "$command" --help > help.txt; done
"$bin/python" -c "import runopsy; assert runopsy.analyze('bare.csv').verdict.name == 'healthy'"
grep -q "<svg" page.html && test -s page.md && test -s difference.txt
echo "smoke test passed"
