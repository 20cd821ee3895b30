# Every target that needs Python packages makes .venv first, with the pinned versions of constraints/.
# PYTHON=python3.13 VENV=.venv-3.13 make test    runs a target with another Python, beside the first.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

VENV ?= .venv
PYTHON ?= $(shell for p in python3.11 python3 python3.12 python3.13; do \
	"$$p" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo "$$p" && break; done)
BIN := $(VENV)/bin
export PATH := $(abspath $(BIN)):$(PATH)
# Where Python may not keep what it compiled, each of hundreds of processes compiles all of it again.
unexport PYTHONDONTWRITEBYTECODE
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet
# Tests wait more than they compute: one process more than there are processors.
PROCESSES ?= $(shell n=$$(( $$(getconf _NPROCESSORS_ONLN) + 1 )); echo $$(( n < 4 ? n : 4 )))
ARGS ?=
MINUTES ?= 1
SEED ?=

##@ Start here

.PHONY: help
help: ## List the targets
	@awk 'BEGIN { FS = ":.*## "; print "make TARGET [ARGS=...]" } \
	/^##@ / { printf "\n%s\n", substr($$0, 5) } \
	/^[a-z-]+:.*## / { printf "  %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: demo
demo: $(VENV)/.demo ## Start a server and the example service, and show what happens to real traffic
	@$(BIN)/python -m examples.storefront.demo $(ARGS)

.PHONY: demo-http
demo-http: $(VENV)/.demo ## Start a server and the example HTTP service that publishes events
	@$(BIN)/python -m examples.front_door.demo $(ARGS)

##@ Check

.PHONY: test
test: $(VENV)/.dev ## Run the test suite (ARGS are pytest's)
	$(BIN)/python -m pytest -n $(PROCESSES) $(ARGS)

.PHONY: test-faults
test-faults: $(VENV)/.dev ## Run the long tests: fault rows, chaos, browser (ARGS are pytest's)
	$(BIN)/python -m pytest -n 4 --dist worksteal -m "faults or chaos" $(ARGS)

.PHONY: chaos
chaos: $(VENV)/.dev ## Break things at random under load (MINUTES=5 SEED=7) and count what was lost
	@$(BIN)/python -m tests.chaos --minutes $(MINUTES) $(if $(SEED),--seed $(SEED)) $(ARGS)

.PHONY: soak
soak: $(VENV)/.dev ## Keep a worker at a steady rate (MINUTES=30) and see whether what it uses grows
	@$(BIN)/python -m tests.soak --minutes $(MINUTES) $(ARGS)

.PHONY: nightly
nightly: $(VENV)/.dev ## Try ten thousand orders of faults against the decisions of the runtime
	HYPOTHESIS_PROFILE=nightly $(BIN)/python -m pytest tests/properties --timeout=0 $(ARGS)

.PHONY: lint
lint: $(VENV)/.dev ## Check style, types, the direction of imports and the images' recipes
	@failed=; \
	check() { echo "$$@"; $(BIN)/"$$@" || failed="$$failed $$1"; }; \
	check ruff check --quiet .; \
	check ruff format --quiet --check .; \
	check mypy; \
	check lint-imports --no-logo; \
	check hadolint deploy/Dockerfile deploy/compose/Dockerfile; \
	if [ -n "$$failed" ]; then echo "make lint: see above what was found by:$$failed" >&2; exit 1; fi

.PHONY: format
format: $(VENV)/.dev ## Write the code in the project's style
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

##@ Measure

.PHONY: bench
bench: $(VENV)/.dev ## Compare with other consumers (ARGS="--only noop --rounds 3 --json"; --list names the scenarios)
	@$(BIN)/python -m benchmarks $(ARGS)

.PHONY: bench-guard
bench-guard: $(VENV)/.dev ## Fail if an event costs more instructions than recorded (needs valgrind)
	@$(BIN)/python -m benchmarks --guard $(ARGS)

##@ Keep up

.PHONY: venv
venv: $(VENV)/.dev ## Make .venv with everything that development needs

.PHONY: constraints
constraints: ## Write constraints/ again after a change of pyproject.toml (needs uv; ARGS=--upgrade for newer versions)
	constraints/compile.sh $(ARGS)

.PHONY: clean
clean: ## Remove .venv, caches and what the demo left
	rm -rf $(VENV) .glam build dist .mypy_cache .pytest_cache .ruff_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -not -path './.venv*' -prune -exec rm -rf {} +

# Not targets for people: what an installation consists of. The stamp is newer than what it was made from.

$(BIN)/python:
	@test -n "$(PYTHON)" || { echo "make: no Python 3.11 or newer was found; install one, or name it: make PYTHON=/path/to/python3" >&2; exit 1; }
	@$(PYTHON) -m venv $(VENV) || { echo "make: $(PYTHON) could not make a virtual environment (Debian, Ubuntu: apt-get install python3-venv)" >&2; rm -rf $(VENV); exit 1; }

$(VENV)/.demo: constraints/demo.txt pyproject.toml | $(BIN)/python
	$(PIP) install --require-hashes -r constraints/demo.txt
	$(PIP) install --no-deps --no-build-isolation --editable .
	@touch $@

$(VENV)/.dev: constraints/dev.txt pyproject.toml | $(BIN)/python
	$(PIP) install --require-hashes -r constraints/dev.txt
	$(PIP) install --no-deps --no-build-isolation --editable .
	@touch $@
	@touch $(VENV)/.demo
