# Two commands do all the set-up on a fresh machine with Python and make: `make demo`, `make test`.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
OUT ?= runs/lecture
PIP_INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt

.DEFAULT_GOAL := help
.PHONY: help demo test quick check clean

help: ## Show what can be made
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 10

demo: $(VENV)/.experiments ## Install, run the experiment `lecture`, and say where its report is
	$(BIN)/tfadaopt run lecture --out $(OUT)

test: check ## Install, and run every check and test (about 15 minutes on 2 cores)
	$(BIN)/python -m pytest

quick: check ## The same without the tests marked slow (under 3 minutes)
	$(BIN)/python -m pytest -m "not slow"

check: $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

clean: ## Remove the environment, and what builds and tests left (not runs/)
	rm -rf $(VENV) build dist *.egg-info .pytest_cache .ruff_cache

# An environment is made once per change of what it depends on.
$(VENV)/.dev: pyproject.toml constraints.txt $(VENV)/.made
	$(PIP_INSTALL) -e '.[dev]'
	@touch $(VENV)/.experiments $@

$(VENV)/.experiments: pyproject.toml constraints.txt $(VENV)/.made
	$(PIP_INSTALL) -e '.[experiments]'
	@touch $@

$(VENV)/.made:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "tfadaopt needs Python 3.11 or later; this is $$($(PYTHON) --version 2>&1). Name another: make PYTHON=python3.12 …"; exit 1; }
	@$(PYTHON) -m venv $(VENV) || { \
	  echo "No environment could be made: install Python's venv module (on Debian: apt install python3-venv)."; exit 1; }
	@touch $@
