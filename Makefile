# One runner for people and CI. `make demo` and `make test` set themselves up on a fresh machine.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready

# Extra arguments: make test TEST_ARGS="-k lanes", make demo DEMO_ARGS=--exit, make lock LOCK_ARGS=--upgrade.
# make test TEST_PROCESSES=0 runs in one process, for a debugger.
TEST_ARGS ?=
TEST_PROCESSES ?= auto
DEMO_ARGS ?=
BENCH_ARGS ?=
FUZZ_ARGS ?=
LOCK_ARGS ?=

# Tests start hundreds of processes: each would compile what it imports where this is in the environment.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

.PHONY: help
help: ## Say what can be made
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: setup
setup: $(READY) ## Make .venv with the exact versions of requirements.lock

$(READY): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(None if sys.version_info >= (3, 11) else "Python 3.11 or newer is needed, this is " + sys.version.split()[0] + ": make PYTHON=/path/to/python3")'
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); echo "Python's venv module is needed (Debian: apt-get install python3-venv)" >&2; exit 1; }
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --requirement requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

.PHONY: demo
demo: $(READY) ## Run everything on embedded parts with a day of generated traffic
	$(BIN)/auditstream demo $(DEMO_ARGS)

# Hundreds of processes are started: each would compile the product again, where images forbid to keep that.
PYTEST := env -u PYTHONDONTWRITEBYTECODE $(BIN)/python -m pytest --numprocesses $(TEST_PROCESSES) --dist loadfile --no-loadscope-reorder

.PHONY: test
test: $(READY) ## Run the tests, all but the long ones, that this machine can run
	$(PYTEST) -m "not long" $(TEST_ARGS)

.PHONY: test-long
test-long: $(READY) ## Run what takes a deployment for minutes: pages that answer, the console in a browser, faults at random
	$(PYTEST) -m long $(TEST_ARGS)

.PHONY: test-fast
test-fast: $(READY) ## Run the tests that need neither a broker nor patience
	$(BIN)/python -m pytest -m "not kafka and not fault" --ignore=tests/integration --ignore=tests/fault $(TEST_ARGS)

.PHONY: fmt
fmt: $(READY) ## Format the code and fix what can be fixed by rule
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

.PHONY: lint
lint: $(READY) ## Check format, style, spelling and declared dependencies
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/codespell
	$(BIN)/deptry .

.PHONY: types
types: $(READY) ## Check types
	$(BIN)/mypy
	cd verify && ../$(BIN)/mypy --strict auditstream_verify
	cd sdk && ../$(BIN)/mypy --strict --python-version 3.10 auditstream_sdk

.PHONY: arch
arch: $(READY) ## Check that no room imports what is above or beside it
	$(BIN)/lint-imports

.PHONY: docs
docs: $(READY) ## Check the pages: links lead somewhere, commands exist, examples run
	$(BIN)/python -m pytest tests/docs

.PHONY: bench
bench: $(READY) ## Measure throughput and latency; writes benchmarks/results/latest.json
	PYTHONPATH=sdk $(BIN)/python -m benchmarks $(BENCH_ARGS)

.PHONY: fuzz
fuzz: $(READY) ## Fuzz every parser of evidence for ten minutes each
	PYTHONPATH=verify $(BIN)/python -m tests.fuzz $(FUZZ_ARGS)

# The validator of FOCUS files wants Python 3.12 and an old numpy: an environment of its own, built once.
FOCUS_PYTHON ?= python3.12
FOCUS_VENV := .cache/focus-validator
FOCUS_PINS := tests/support/focus_validator/requirements.txt

.PHONY: focus-check
focus-check: $(READY) $(FOCUS_VENV)/.ready ## Check our FOCUS files with the FinOps Foundation's validator
	$(BIN)/python -m pytest tests/sql/test_focus_validator.py

$(FOCUS_VENV)/.ready: $(FOCUS_PINS)
	@$(FOCUS_PYTHON) -c 'import sys; sys.exit(None if sys.version_info[:2] == (3, 12) else "Python 3.12 is needed: make focus-check FOCUS_PYTHON=/path/to/python3.12")'
	$(FOCUS_PYTHON) -m venv $(FOCUS_VENV)
	$(FOCUS_VENV)/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --requirement $(FOCUS_PINS)
	@touch $@

.PHONY: verify-dist
verify-dist: $(READY) ## Build the wheel of the verifier that auditors run by itself
	cd verify && ../$(BIN)/python -m hatchling build -t wheel

.PHONY: sdk-dist
sdk-dist: $(READY) ## Build the wheel of the SDK that services install
	cd sdk && ../$(BIN)/python -m hatchling build -t wheel

.PHONY: lock
lock: $(READY) ## Resolve pyproject.toml anew into requirements.lock
	$(BIN)/uv pip compile pyproject.toml --quiet --universal --generate-hashes --python-version 3.11 \
	    --extra embedded --extra objects --group dev --no-emit-index-url --no-emit-find-links --no-header \
	    $(LOCK_ARGS) --output-file requirements.lock
