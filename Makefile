# The only door: people and CI use the same targets.
PYTHON ?= python3
VENV   := .venv
CALLBACKS := .venv-callbacks
BIN    := $(VENV)/bin
PIP    := $(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint .ci/constraints.txt
READERS := .venv-readers
RUN    ?= sample_logs/grokking
SHARED ?= ../shared

.DEFAULT_GOAL := help
.PHONY: help demo test test-pages test-callbacks test-gpu golden check lint types floors samples bench bench-segments bench-speed bench-confidence bench-diff bench-signals bench-curvature bench-memory score fuzz test-readers bench-readers format clean

help: ## show this
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-15s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: $(VENV)/core ## the autopsy of a real recorded run (RUN=… for another), from nothing, without torch
	@$(BIN)/runopsy analyze $(RUN)

test: $(VENV)/test ## install the test extras (torch among them) and run the tests
	$(BIN)/python -m pytest -n 2 --dist loadfile -q

test-callbacks: $(CALLBACKS)/built ## the callbacks in the real Lightning, Transformers and Accelerate (an environment of its own)
	$(CALLBACKS)/bin/python -m pytest -q tests/recorder/test_callbacks_*.py

check: lint types floors test ## everything CI asks: lint, types, floors, tests

lint: $(VENV)/test ## ruff: rules and format
	$(BIN)/ruff check src tests
	$(BIN)/ruff format --check src tests

types: $(VENV)/test ## mypy --strict
	$(BIN)/mypy

floors: $(VENV)/test ## which room may import which
	$(BIN)/lint-imports

test-gpu: $(VENV)/test ## the recorder beside a training on a CUDA device, where there is one
	RUNOPSY_GPU=1 $(BIN)/python -m pytest -q -rs tests/recorder/test_accelerator.py

golden: $(VENV)/test ## write the golden reports again and show what moved
	$(BIN)/python tests/golden.py
	git diff --stat tests/report/golden

test-pages: $(VENV)/test ## the HTML report in a headless Chromium; skips where there is none
	$(BIN)/python -m pytest -q -rs tests/report/test_pages.py

samples: $(VENV)/test ## train the runs of sample_logs/ again (about a minute)
	$(BIN)/python -m runopsy.lab.samples sample_logs

bench: $(VENV)/bench ## what logging costs, beside others, and what 200 kills lose
	$(BIN)/python tests/benchmarks/bench_logging.py
	$(BIN)/python tests/recorder/test_kills.py 200

test-readers: $(READERS)/built ## other trackers write, runopsy reads: every value, step and time, with their real libraries
	$(READERS)/bin/python -m pytest -q tests/real

bench-readers: $(READERS)/built ## a million scalars, by runopsy and by the reader of who wrote them (some minutes)
	$(READERS)/bin/python tests/benchmarks/bench_readers.py

bench-segments: $(VENV)/test ## false alarms on 600 null curves, recall and interval coverage on 600 planted runs
	$(BIN)/python tests/benchmarks/bench_segments.py 600

bench-confidence: $(VENV)/test ## what a confidence is worth: reliability tables over runs whose truth is known
	$(BIN)/python tests/benchmarks/bench_confidence.py 200 $(SHARED)/benchmark/runs

bench-speed: $(VENV)/test ## time and memory from 1e4 to 1e7 rows, beside their limits and beside ruptures
	$(BIN)/python tests/benchmarks/bench_speed.py

bench-diff: $(VENV)/test ## how often a diff cries wolf: 1400 pairs of runs that differ by noise alone
	$(BIN)/python tests/benchmarks/bench_diff.py 1400

bench-signals: $(VENV)/bench ## what each signal costs, beside TensorBoard, on a transformer and a convnet (twenty minutes)
	$(BIN)/python tests/benchmarks/bench_signals.py

.PHONY: bench-budget
bench-budget: $(VENV)/test ## what recording takes of twelve trainings, by turns with and without it (half an hour)
	$(BIN)/python tests/benchmarks/bench_budget.py

bench-curvature: $(VENV)/test ## whether the eigenvalue that is followed is the largest, and how far a sample's lies above that of all (ten minutes)
	$(BIN)/python tests/benchmarks/bench_curvature.py

bench-memory: $(VENV)/test ## whether recording everything for 20 000 steps grows
	$(BIN)/python tests/benchmarks/bench_memory.py

score: $(VENV)/core ## the labelled runs, where $(SHARED) is there
	PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/python $(SHARED)/benchmark/score.py $(SHARED)/benchmark/runs

fuzz: $(VENV)/test ## 200 000 mutated logs: only errors of our own, no hang, little memory
	$(BIN)/python tests/readers/fuzzing.py 200000

format: $(VENV)/test ## write the format that lint asks for
	$(BIN)/ruff format src tests
	$(BIN)/ruff check --fix src tests

clean: ## remove the virtual environment and what tools left behind
	rm -rf $(VENV) $(CALLBACKS) $(READERS) .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache

# Stamps: each environment is built once, and again when its inputs change.
$(VENV)/core: pyproject.toml .ci/constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "runopsy needs Python 3.11 or newer; try make PYTHON=python3.12")'
	@echo "installing runopsy into $(VENV), without torch …"
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(PIP) --editable .
	@touch $@

$(VENV)/test: $(VENV)/core
	@echo "installing the test extras, torch among them …"
	@$(PIP) --editable '.[test]'
	@touch $@

$(CALLBACKS)/built: pyproject.toml .ci/constraints.txt .ci/constraints-callbacks.txt
	@echo "installing Lightning, Transformers and Accelerate into $(CALLBACKS) …"
	@test -x $(CALLBACKS)/bin/python || $(PYTHON) -m venv $(CALLBACKS)
	@$(CALLBACKS)/bin/python -m pip install --quiet --disable-pip-version-check \
		--constraint .ci/constraints.txt --constraint .ci/constraints-callbacks.txt --editable '.[callbacks]'
	@touch $@

$(VENV)/bench: $(VENV)/test
	@$(PIP) --editable '.[test,bench]'
	@touch $@

# An environment of their own: what the trackers need would hold back what runopsy needs.
$(READERS)/built: pyproject.toml .ci/readers.in .ci/readers.txt
	@echo "installing the trackers into $(READERS), some 2 GB …"
	@test -x $(READERS)/bin/python || $(PYTHON) -m venv $(READERS)
	@$(READERS)/bin/python -m pip install --quiet --disable-pip-version-check --constraint .ci/readers.txt \
		--requirement .ci/readers.in --editable .
	@touch $@
