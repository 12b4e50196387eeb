# Two commands do all the set-up on a fresh machine with Python and make: `make demo`, `make test`.
# Another Python: make demo PYTHON=python3.12. More for pip: make demo PIP_ARGS="--no-cache-dir".
PYTHON ?= python3
PIP_ARGS ?=
VENV := .venv
BIN := $(VENV)/bin
OUT ?= runs/lecture
PIP_INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check $(PIP_ARGS) -c constraints.txt

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help demo test quick check clean

help: ## Show what can be made
	@grep -E '^[a-z]+:.*##' $(firstword $(MAKEFILE_LIST)) | sed -E 's/:.*## /\t/' | expand -t 10

demo: $(VENV)/.experiments ## Install, run the experiment `lecture`, and say where its report is
	$(BIN)/tfadaopt run lecture --out $(OUT)

test: check ## Install, and run every check and test (about 35 minutes on 2 cores)
	$(BIN)/python -m pytest -n 2 --dist loadgroup

quick: check ## The same without the tests marked slow (under 3 minutes)
	$(BIN)/python -m pytest -n 2 --dist loadgroup -m "not slow"

check: $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

clean: ## Remove the environment and caches that make made (not runs/)
	@if grep -qs created $(VENV)/.made; then rm -rf $(VENV); else rm -f $(VENV)/.made $(VENV)/.dev $(VENV)/.experiments; fi
	rm -rf tfadaopt.egg-info .pytest_cache .ruff_cache
	find . -name __pycache__ -not -path './.*' -prune -exec rm -rf {} +

# An environment is made once per change of what it depends on; dev contains experiments.
$(VENV)/.dev: pyproject.toml constraints.txt $(VENV)/.made
	@echo "Installing the tested environment into $(VENV): it takes some minutes, once."
	$(PIP_INSTALL) -e '.[dev]'
	@touch $(VENV)/.experiments $@

$(VENV)/.experiments: pyproject.toml constraints.txt $(VENV)/.made
	@echo "Installing the tested environment into $(VENV): it takes some minutes, once."
	$(PIP_INSTALL) -e '.[experiments]'
	@touch $@

# The stamp says whether the environment was there before: `make clean` leaves such a one alone.
$(VENV)/.made:
	@command -v $(PYTHON) >/dev/null || { \
	  echo "There is no '$(PYTHON)'. Install Python 3.11, 3.12 or 3.13, or name one: make PYTHON=python3.12 …"; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' || { \
	  echo "tfadaopt needs Python 3.11, 3.12 or 3.13 (TensorFlow 2.21 has no other), but '$(PYTHON)' is $$($(PYTHON) --version 2>&1)." \
	    "Name another: make PYTHON=python3.12 …"; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' || { \
	  echo "'$(PYTHON)' cannot make environments: install its venv module (on Debian: apt install python3-venv)."; exit 1; }
	@if [ -e $(VENV) ]; then origin=found; else origin=created; fi; \
	$(PYTHON) -m venv $(VENV) && echo $$origin > $@
