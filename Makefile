# `make run` and `make test` need nothing but Python 3.11 or later: each sets up .venv by itself, once.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PARTS := core cli $(sort $(wildcard plugins/*))
# TensorBoard's server and Ray are some 65 and 250 MB that a run does not need; `make test` installs them.
OPTIONAL := plugins/ray plugins/tensorboard
PROJECTS := pyproject.toml $(addsuffix /pyproject.toml,$(PARTS))
EDITABLE := $(addprefix --editable ./,$(filter-out $(OPTIONAL),$(PARTS)))
EDITABLE_DEV := $(addprefix --editable ./,$(PARTS))
PIP := $(BIN)/python -m pip install --disable-pip-version-check
# make run ARGS="--data my.txt --budget 10m": what `engine run` is called with.
ARGS ?=

.PHONY: help run test attack lint bench docs clean

help: ## Show the targets
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 10

run: $(VENV)/.ready ## Train on the built-in corpus, or with ARGS="--data my.txt" on your own text
	@$(BIN)/engine run $(ARGS)

test: $(VENV)/.ready-dev ## Run the tests
	$(BIN)/python -m pytest --numprocesses 2 --dist loadfile --no-loadscope-reorder

attack: $(VENV)/.ready-dev ## Kill, damage and fuzz runs (ARGS=--quick: under 2 minutes)
	$(BIN)/python -m tests.attack $(ARGS)

lint: $(VENV)/.ready-dev ## Check style and types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy $(PARTS) benchmarks examples/pentad-minlstm/pentad_minlstm $(wildcard examples/*.py) $(wildcard examples/contracts/*.py)
	$(BIN)/python docs/generate.py --check

docs: $(VENV)/.ready-dev ## Write the pages that are made from the code
	$(BIN)/python docs/generate.py

bench: $(VENV)/.ready-dev ## Measure speed on this machine
	$(BIN)/python -m benchmarks

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or later is needed, found " + sys.version.split()[0] + ". Try: make PYTHON=python3.12 run")'
	$(PYTHON) -m venv $(VENV)

# One call of pip for everything, so that it finds versions that fit all parts.
$(VENV)/.ready: $(PROJECTS) | $(VENV)/bin/python
	@echo "Setting up $(VENV) (once; a few minutes, mostly torch)"
	@$(PIP) --editable . $(EDITABLE)
	@touch $@

$(VENV)/.ready-dev: $(PROJECTS) | $(VENV)/bin/python
	@echo "Setting up $(VENV) for development (once; a few minutes, mostly torch)"
	@$(PIP) --editable '.[dev]' $(EDITABLE_DEV)
	@touch $(VENV)/.ready $@

clean: ## Remove what the other targets made
	rm -rf $(VENV) .mypy_cache .ruff_cache .hypothesis
