# One line a command: `make help`. Everything is installed into .venv; nothing else is touched.

PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
BASE   := $(VENV)/.base-installed
DEV    := $(VENV)/.dev-installed
BENCH  := $(VENV)/.bench-installed
PIP    := $(BIN)/python -m pip --disable-pip-version-check --quiet install

# Most tests wait for servers of their own, so more of them run than there are cores.
JOBS   ?= 3
# In the order of tests/order.py, storms in their short form.
TESTS  ?= tests
# At full count one file at a time: two at once fill two cores, and then times that are promised don't hold.
STORMS ?= 1
LONG   := $(addprefix tests/storms/test_,$(addsuffix .py,crash_points provider relays database_network rabbitmq_cluster soak))
ALL    := $(LONG) $(filter-out $(LONG),$(sort $(wildcard tests/storms/test_*.py))) tests/stock
PYTEST := $(BIN)/python -m pytest --dist loadfile --no-loadscope-reorder

COMPILE := --quiet --upgrade --universal --generate-hashes --no-header --python-version 3.11

# Every process that tests and benchmarks start would compile the whole again.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help setup run test storm lint bench bench-quick bench-providers services services-stop requirements

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(DEV) ## Install everything for work on the code into .venv

run: $(BASE) ## Start it here with no servers and send one notification down each lane (ONCE=1: then end)
	@$(BIN)/notifier dev --tour $(if $(filter 1,$(ONCE)),--once)

test: $(DEV) ## Run all tests, on their own private PostgreSQL and RabbitMQ
	@$(BIN)/python -m tests.nodes install
	@$(PYTEST) -n $(JOBS) $(TESTS) $(ARGS) || { [ $$? -eq 1 ] && echo "once more, alone and one by one: only what fails again has failed" \
	  && $(PYTEST) --last-failed --last-failed-no-failures none $(TESTS) $(ARGS); }

storm: $(DEV) ## Break everything at full count and count what is lost, more than an hour (SEED=7: again; ONLY=tests/storms/test_doors.py)
	@$(BIN)/python -m tests.nodes install
	@STORM=full STORM_SEED=$(SEED) $(PYTEST) -n $(STORMS) $(or $(ONLY),$(ALL)) $(ARGS)

lint: $(DEV) ## Check style, types and layers
	@$(BIN)/ruff check
	@$(BIN)/ruff format --check
	@$(BIN)/mypy
	@$(BIN)/lint-imports

services: $(BASE) ## Start a private RabbitMQ and PostgreSQL and print the settings to export
	@$(BIN)/python -m tests.nodes install
	@$(BIN)/python -m tests.nodes start

services-stop: $(BASE) ## Stop them and keep their data (PURGE=1: remove the data too)
	@$(BIN)/python -m tests.nodes stop $(if $(filter 1,$(PURGE)),--purge)

bench: $(BENCH) ## Measure against the peers in full, about half an hour (ONLY=P1,P4: some figures)
	@$(BIN)/python -m tests.nodes install
	@$(BIN)/python -m benchmarks $(if $(ONLY),--only $(ONLY))

bench-quick: $(BENCH) ## The same in a small size, under three minutes
	@$(BIN)/python -m tests.nodes install
	@$(BIN)/python -m benchmarks --quick $(if $(ONLY),--only $(ONLY))

bench-providers: $(DEV) ## What a send by SMTP, Twilio and FCM costs beside the least there is, about a minute
	@$(BIN)/python -m benchmarks.providers

requirements: ## For maintainers: pin the newest versions again (needs uv)
	@command -v uv >/dev/null || { echo "make requirements needs uv: https://docs.astral.sh/uv/" >&2; exit 1; }
	uv pip compile $(COMPILE) --output-file requirements/base.txt pyproject.toml
	uv pip compile $(COMPILE) --extra all --group dev -c requirements/base.txt --output-file requirements/dev.txt pyproject.toml
	uv pip compile $(COMPILE) -c requirements/dev.txt --output-file requirements/build.txt requirements/build.in
	uv pip compile $(COMPILE) -c requirements/dev.txt --output-file requirements/bench.txt requirements/bench.in

# `python -m venv` fails half-way where ensurepip is missing, so both are asked for before it starts.
$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "Python 3.11 or newer is needed, and $(PYTHON) is not: try make PYTHON=python3.12 $(MAKECMDGOALS)" >&2; exit 1; }
	@$(PYTHON) -c 'import venv, ensurepip' 2>/dev/null || { \
	  echo "$(PYTHON) cannot make virtual environments: on Debian and Ubuntu, sudo apt-get install python3-venv" >&2; exit 1; }
	@echo "making $(VENV) ..." >&2
	@$(PYTHON) -m venv $(VENV)

$(BASE): requirements/base.txt requirements/build.txt pyproject.toml | $(BIN)/python
	@echo "installing what notifier needs ..." >&2
	@$(PIP) --require-hashes -r requirements/build.txt
	@$(PIP) --require-hashes -r requirements/base.txt
	@$(PIP) --no-deps --no-build-isolation -e .
	@touch $@

$(DEV): requirements/dev.txt $(BASE)
	@echo "installing what work on it needs ..." >&2
	@$(PIP) --require-hashes -r requirements/dev.txt
	@touch $@

$(BENCH): requirements/bench.txt $(DEV)
	@echo "installing what it is measured against ..." >&2
	@$(PIP) --require-hashes -r requirements/bench.txt
	@touch $@
