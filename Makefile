# The only door: people and CI use the same targets.
PYTHON ?= python3
VENV   := .venv
CALLBACKS := .venv-callbacks
BIN    := $(VENV)/bin
PIP    := $(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint .ci/constraints.txt
READERS := .venv-readers
HEAVY  := .venv-readers-heavy
PEERS  := .venv-peers
DOCS   := .venv-docs
TOOLS  := .venv-tools
LOWEST := .venv-lowest
# Golden files hold every digit, and older versions round the last one otherwise; the nnls of scipy 1.12 is a twin that
# does not converge.
CORE   := tests/readers tests/rules tests/facts tests/signals tests/segments tests/comparison tests/report \
	tests/test_cli.py tests/test_autopsy.py tests/test_signal_specs.py --ignore tests/report/test_golden.py \
	--deselect tests/segments/test_nonnegative.py::test_a_mixture_whose_columns_are_nearly_alike_is_fitted_as_well_as_by_scipy
RUN    ?= sample_logs/grokking
SHARED ?= ../shared
KINDS  ?= curves,chance,numbers,resume,short
PYTEST := $(BIN)/python -m pytest -n 2 --dist loadfile $(if $(SEED),--randomly-seed=$(SEED))

# An environment belongs to one Python and one folder: its stamp is named after both, and another PYTHON=… than that
# which made it, a Python that is gone and a folder that was renamed each make it again. Without PYTHON=… it stays.
identity = $(shell $(1) -c 'import os, sys, zlib; print("made-by", sys.version.split()[0], zlib.crc32(f"{os.path.realpath(sys.base_prefix)} {os.getcwd()}".encode()), sep="-")' 2>/dev/null)
stamp = $(1)/$(or $(if $(filter file,$(origin PYTHON)),$(call identity,$(1)/bin/python)),$(call identity,$(PYTHON)),made)
MADE := $(call stamp,$(VENV))
CALLBACKS_MADE := $(call stamp,$(CALLBACKS))
READERS_MADE := $(call stamp,$(READERS))
HEAVY_MADE := $(call stamp,$(HEAVY))

.DEFAULT_GOAL := help
.PHONY: $(shell sed -n 's/^\([a-z-]*\):.*/\1/p' $(firstword $(MAKEFILE_LIST)))

help: ## show this
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-15s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: $(VENV)/core ## the autopsy of a real recorded run (RUN=… for another), from nothing, without torch
	@$(BIN)/python -m runopsy analyze $(RUN)

test: $(VENV)/test ## install the test extras (torch among them) and run all tests but the slow ones; SEED=… repeats an order
	$(PYTEST) -m "not slow"

test-all: $(VENV)/test ## all tests, the slow ones too; hypothesis draws new examples each time
	$(PYTEST) --hypothesis-profile=search

test-callbacks: $(CALLBACKS)/built ## the callbacks in the real Lightning, Transformers and Accelerate (an environment of its own)
	$(CALLBACKS)/bin/python -m pytest -q tests/recorder/test_callbacks_*.py

check: lint types floors test-all ## everything CI asks: lint, types, floors, all tests

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

test-readers-heavy: $(HEAVY)/built ## the same with fastai, timm and Ultralytics, which need torchvision (some minutes)
	$(HEAVY)/bin/python -m pytest -q tests/real/test_fastai.py tests/real/test_timm.py tests/real/test_ultralytics.py

bench-readers: $(READERS)/built ## a million scalars, by runopsy and by the reader of who wrote them (some minutes)
	$(READERS)/bin/python tests/benchmarks/bench_readers.py

bench-segments: $(VENV)/test ## false alarms on 600 null curves, recall and interval coverage on 600 planted runs
	$(BIN)/python tests/benchmarks/bench_segments.py 600

bench-common: $(VENV)/test ## common changes: alarms on 600 runs without one, recall, intervals, cost; beside a vote and ruptures alone
	$(BIN)/python tests/benchmarks/bench_common.py 600

bench-segmenters: $(VENV)/test ## ours and every search and cost of ruptures on the same curves, and on the labelled runs
	$(BIN)/python tests/benchmarks/bench_segmenters.py 100 $(wildcard $(SHARED)/benchmark/runs)

bench-nulls: $(VENV)/test ## what is raised on 900 curves where nothing happens, by autocorrelation and rows; recall of planted kinds
	$(BIN)/python tests/benchmarks/bench_nulls.py

bench-peers: $(VENV)/test $(PEERS)/built ## two other tools beside this one, on the trainings logged once per epoch
	$(BIN)/python tests/measures/peers.py --peers $(PEERS)/bin

bench-shapes: $(VENV)/test ## recall and false alarms of a curve's shape, by rows (8 to 1000) and noise (1, 3, 10 %)
	$(BIN)/python tests/benchmarks/bench_shapes.py

bench-thresholds: $(VENV)/test ## each threshold x 1.5 and / 1.5: what changes on every log at hand (some minutes)
	$(BIN)/python tests/benchmarks/bench_thresholds.py --shared $(SHARED)

bench-confidence: $(VENV)/test ## what a confidence is worth: reliability tables over runs whose truth is known
	$(BIN)/python tests/benchmarks/bench_confidence.py 200 $(SHARED)/benchmark/runs

bench-sweep: $(VENV)/test ## many runs at once: speed, kills, engines, what mattered, the page (PARTS="speed 10000" for one; some minutes)
	$(BIN)/python tests/benchmarks/bench_sweep.py $(PARTS)

bench-speed: $(VENV)/test ## time and memory from 1e4 to 1e7 rows, beside their limits and beside ruptures
	$(BIN)/python tests/benchmarks/bench_speed.py

bench-backtest: $(VENV)/test ## what rules of stopping save and miss on every log at hand, and whether the intervals hold
	$(BIN)/python tests/benchmarks/bench_backtest.py --shared $(SHARED)

bench-library: $(VENV)/test ## false alarms of the classic threshold rule with baselines of its own run, and of a library of 20 seeds
	$(BIN)/python tests/benchmarks/bench_library.py

bench-watch: $(VENV)/test ## how often a watch cries wolf on 600 replayed runs without an event, what it confirms, how late (an hour)
	$(BIN)/python tests/benchmarks/bench_watch.py -v

bench-watch-live: $(VENV)/test ## what a watch takes of a core beside ten rows a second, and how soon it tells (four minutes)
	$(BIN)/python tests/benchmarks/bench_watch_live.py

bench-diff: $(VENV)/test ## how often a diff cries wolf: 1400 pairs of runs that differ by noise alone
	$(BIN)/python tests/benchmarks/bench_diff.py 1400

bench-sizes: $(VENV)/test ## curves over sizes and scaling laws: false peaks, recall, intervals, breaks (some minutes)
	$(BIN)/python tests/benchmarks/bench_sizes.py 100 $(SHARED)

bench-signals: $(VENV)/bench ## what each signal costs, beside TensorBoard, on a transformer and a convnet (twenty minutes)
	$(BIN)/python tests/benchmarks/bench_signals.py

bench-precursors: $(VENV)/test ## what left its range before a break: named without cause, and planted ones found (a minute)
	$(BIN)/python tests/benchmarks/bench_precursors.py

bench-quanta: $(VENV)/test ## steps of groups of examples: found, within their interval, invented (ten trainings, some minutes)
	$(BIN)/python tests/benchmarks/bench_quanta.py 10

bench-expectations: $(VENV)/test ## how often what the literature expects of signals holds on 64 trainings (half an hour)
	$(BIN)/python tests/benchmarks/bench_expectations.py 8

bench-mislabelled: $(VENV)/bench ## flipped labels found again: beside the loss and cleanlab (some minutes)
	$(BIN)/python tests/benchmarks/bench_mislabelled.py

bench-widths: $(VENV)/test ## the test of widths: how often it rejects without cause, how often its interval holds
	$(BIN)/python tests/benchmarks/bench_widths.py

bench-widths-real: $(VENV)/bench ## what the test of widths finds on trainings with canaries (four minutes)
	$(BIN)/python tests/benchmarks/bench_widths_real.py

bench-budget: $(VENV)/test ## what recording takes of twelve trainings, by turns with and without it (half an hour)
	$(BIN)/python tests/benchmarks/bench_budget.py

bench-estimates: $(VENV)/test ## whether estimates from a sample cover, with their errors, what the whole training set gives (a minute)
	$(BIN)/python tests/benchmarks/bench_estimates.py

bench-curvature: $(VENV)/test ## whether the eigenvalue that is followed is the largest, and how far a sample's lies above that of all (ten minutes)
	$(BIN)/python tests/benchmarks/bench_curvature.py

bench-memory: $(VENV)/test ## whether recording everything for 20 000 steps grows
	$(BIN)/python tests/benchmarks/bench_memory.py

verdict-diff: $(VENV)/test ## whose verdict, phases or events a change changes, over all logs at hand (BASE=commit, NEW=commit)
	$(BIN)/python tests/measures/verdict_diff.py --shared $(SHARED) $(BASE) $(NEW)

cases: $(VENV)/core ## small logs whose right answer is known, of some KINDS, where $(SHARED) is there
	@if test -f $(SHARED)/cases/score_cases.py; \
	then $(BIN)/python $(SHARED)/cases/score_cases.py $(SHARED)/cases --cmd "$(abspath $(BIN))/runopsy" --kinds $(KINDS) --at-least .95; \
	else echo "no cases in $(SHARED)/cases: skipped"; fi

cases-perturbed: $(VENV)/core ## the same cases with losses x 3, every second row, other words, another beginning
	$(BIN)/python tests/measures/perturb.py --cases $(SHARED)/cases --kinds $(KINDS)

score-epochs: $(VENV)/test ## small real trainings logged once per epoch (the visible half)
	$(BIN)/python tests/epochs/score.py -v

score: $(VENV)/core ## the labelled runs, where $(SHARED) is there
	PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/python $(SHARED)/benchmark/score.py $(SHARED)/benchmark/runs

fuzz: $(VENV)/test ## 200 000 mutated logs: only errors of our own, no hang, little memory
	$(BIN)/python tests/readers/fuzzing.py 200000

# Without --quiet, which would hide the warnings from what makes them errors.
docs: $(DOCS)/built ## the manual, built strictly and offline into build/site (an environment of its own)
	NO_MKDOCS_2_WARNING=1 $(DOCS)/bin/mkdocs build

figures-of-kinds: $(VENV)/test ## recall and false alarms of every kind of event, for the manual (a few minutes)
	$(BIN)/python tests/benchmarks/bench_kinds.py -o docs/measured/kinds.json

measured: $(VENV)/test $(PEERS)/built ## the other tables of the manual: beside other tools, segmenters, logs by epoch
	$(BIN)/python tests/measures/peers.py --peers $(PEERS)/bin > docs/measured/peers.txt
	$(BIN)/python tests/benchmarks/bench_segmenters.py 40 > docs/measured/segmenters.txt
	$(BIN)/python tests/epochs/score.py > docs/measured/epochs.txt

workflows: $(TOOLS)/built ## the hosted workflows, issue forms and the citation file against their schemas
	$(TOOLS)/bin/check-jsonschema --builtin-schema vendor.github-workflows .github/workflows/*.yml
	$(TOOLS)/bin/check-jsonschema --builtin-schema vendor.github-issue-forms .github/ISSUE_TEMPLATE/[!c]*.yml
	$(TOOLS)/bin/check-jsonschema --builtin-schema vendor.github-issue-config .github/ISSUE_TEMPLATE/config.yml
	$(TOOLS)/bin/check-jsonschema --builtin-schema vendor.citation-file-format CITATION.cff

lowest: $(LOWEST)/built ## the tests of the core with the lowest versions that pyproject.toml declares, without torch
	$(LOWEST)/bin/python -m pytest -q -n 2 --dist loadfile -m "not slow" $(CORE)

others: $(TOOLS)/built ## whether every dependency has a wheel for the other Pythons and systems (nothing is installed)
	$(TOOLS)/bin/python .ci/others.py

wheel: $(TOOLS)/built ## wheel and sdist: built twice alike, checked, at most 1 MB, tried in an empty environment
	rm -rf dist build/again build/installed
	SOURCE_DATE_EPOCH=1700000000 $(TOOLS)/bin/python -m build --outdir dist . > /dev/null
	SOURCE_DATE_EPOCH=1700000000 $(TOOLS)/bin/python -m build --wheel --outdir build/again . > /dev/null
	cmp dist/*.whl build/again/*.whl
	$(TOOLS)/bin/python -m twine check --strict dist/*
	@ls -l dist
	test $$(cat dist/*.whl | wc -c) -le 1000000
	$(PYTHON) -m venv build/installed
	build/installed/bin/python -m pip install --quiet --disable-pip-version-check dist/*.whl
	bash .ci/smoke.sh build/installed

format: $(VENV)/test ## write the format that lint asks for
	$(BIN)/ruff format src tests
	$(BIN)/ruff check --fix src tests

clean: ## remove the virtual environment and what tools left behind
	rm -rf $(VENV) $(CALLBACKS) $(READERS) $(HEAVY) $(PEERS) $(DOCS) $(TOOLS) $(LOWEST) build .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache

# One that somebody made by hand, with the Python that is wanted, is kept as it is.
$(MADE) $(CALLBACKS_MADE) $(READERS_MADE) $(HEAVY_MADE):
	@if [ "$(call identity,$(@D)/bin/python)" = "$(@F)" ] && [ -z "$(wildcard $(@D)/made-by-*)" ]; then touch $@; else \
		$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
			{ echo "$(PYTHON) is no Python 3.11 or newer; name one that is: make PYTHON=python3.12" >&2; exit 1; }; \
		rm -rf $(@D); \
		$(PYTHON) -m venv $(@D) || { rm -rf $(@D); exit 1; }; \
		touch $(@D)/$(call identity,$(PYTHON)); \
	fi

# Stamps: each environment is built once, and again when its inputs change.
$(VENV)/core: $(MADE) pyproject.toml .ci/constraints.txt
	@echo "installing runopsy into $(VENV), without torch …"
	@$(PIP) --editable .
	@touch $@

$(VENV)/test: $(VENV)/core
	@echo "installing the test extras, torch among them …"
	@$(PIP) --editable '.[test]'
	@touch $@

$(CALLBACKS)/built: $(CALLBACKS_MADE) pyproject.toml .ci/constraints.txt .ci/constraints-callbacks.txt
	@echo "installing Lightning, Transformers and Accelerate into $(CALLBACKS) …"
	@$(CALLBACKS)/bin/python -m pip install --quiet --disable-pip-version-check \
		--constraint .ci/constraints.txt --constraint .ci/constraints-callbacks.txt --editable '.[callbacks]'
	@touch $@

$(VENV)/bench: $(VENV)/test
	@$(PIP) --editable '.[test,bench]'
	@touch $@

$(PEERS)/built: Makefile
	@test -x $(PEERS)/bin/python || $(PYTHON) -m venv $(PEERS)
	@$(PEERS)/bin/python -m pip install --quiet --disable-pip-version-check runmedic==0.1.1 trainproof==0.22.0
	@touch $@

$(DOCS)/built: pyproject.toml
	@test -x $(DOCS)/bin/python || $(PYTHON) -m venv $(DOCS)
	@$(DOCS)/bin/python -m pip install --quiet --disable-pip-version-check --editable '.[docs]'
	@touch $@

$(TOOLS)/built: Makefile
	@test -x $(TOOLS)/bin/python || $(PYTHON) -m venv $(TOOLS)
	@$(TOOLS)/bin/python -m pip install --quiet --disable-pip-version-check build twine check-jsonschema
	@touch $@

$(LOWEST)/built: pyproject.toml .ci/lowest.py
	@rm -rf $(LOWEST) && $(PYTHON) -m venv $(LOWEST)
	@$(LOWEST)/bin/python .ci/lowest.py > $(LOWEST)/lowest.txt
	@$(LOWEST)/bin/python -m pip install --quiet --disable-pip-version-check --requirement $(LOWEST)/lowest.txt \
		matplotlib pytest pytest-randomly pytest-xdist hypothesis markdown-it-py
	@$(LOWEST)/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --editable .
	@touch $@

# An environment of their own: what the trackers need would hold back what runopsy needs.
$(READERS)/built: $(READERS_MADE) pyproject.toml .ci/readers.in .ci/readers.txt
	@echo "installing the trackers into $(READERS), some 2 GB …"
	@$(READERS)/bin/python -m pip install --quiet --disable-pip-version-check --constraint .ci/readers.txt \
		--requirement .ci/readers.in --editable .
	@touch $@

$(HEAVY)/built: $(HEAVY_MADE) pyproject.toml .ci/readers-heavy.in .ci/readers-heavy.txt
	@echo "installing fastai, timm and Ultralytics into $(HEAVY), some 2 GB …"
	@$(HEAVY)/bin/python -m pip install --quiet --disable-pip-version-check --constraint .ci/readers-heavy.txt \
		--requirement .ci/readers-heavy.in --editable .
	@touch $@
