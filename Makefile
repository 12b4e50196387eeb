# Two commands do all the set-up on a fresh machine with Python and make: `make demo`, `make test`.
# Another Python: make demo PYTHON=python3.12. More for pip: make demo PIP_ARGS="--no-cache-dir".
# `make matrix` may take two: make matrix LOWEST_PYTHON=python3.10 NEWEST_PYTHON=python3.13.
PYTHON ?= python3
LOWEST_PYTHON ?= $(PYTHON)
NEWEST_PYTHON ?= $(PYTHON)
MATRIX ?= .matrix
PIP_ARGS ?=
VENV := .venv
BIN := $(VENV)/bin
OUT ?= runs/lecture
# Of `make fuzz`: how long, from which seed, and only these targets.
SECONDS ?= 60
SEED ?= 0
ONLY ?=
# Of `make coverage`: files of tests, and processes at once.
TESTS ?=
JOBS ?= 2
# Of `make release`: only these steps, for a try.
STEPS ?=
PIP := -m pip install --quiet --disable-pip-version-check $(PIP_ARGS)
# The newest of most packages want Python 3.11: on 3.10, the lowest set is the tested one.
CONSTRAINTS = $(shell $(BIN)/python -c 'import sys; print("constraints-lowest.txt" if sys.version_info < (3, 11) else "constraints.txt")')
PIP_INSTALL = $(BIN)/python $(PIP) -c $(CONSTRAINTS)

# Warnings are errors, and so are names and pages that are not there.
SPHINX = $(BIN)/python -m sphinx --quiet --fail-on-warning --keep-going --nitpicky

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help demo test quick audit matrix lowest newest peers notebooks \
  format check lint types docs links fuzz coverage release clean

help: ## Show what can be made
	@grep -E '^[a-z]+:.*##' $(firstword $(MAKEFILE_LIST)) | sed -E 's/:.*## /\t/' | expand -t 10

demo: $(VENV)/.experiments ## Install, run the experiment `lecture`, and say where its report is
	$(BIN)/tfadaopt run lecture --out $(OUT)

test: check docs ## Install, and run every check and test, docs too (about 20 minutes on 2 cores)
	$(BIN)/python -m pytest -n 2 --dist loadgroup

quick: check ## The same without the tests marked slow (about 3 minutes)
	$(BIN)/python -m pytest -n 2 --dist loadgroup -m "not slow and not audit"

audit: check ## Break each rule and the engine in some 400 places, and see that the tests notice
	$(BIN)/python -m pytest -n 2 --dist loadgroup -m audit
	$(BIN)/python -m tests.audit

matrix: lowest newest ## Install the lowest and the newest versions apart, and run the quick suite on each

# $(call suite,name,first Python,last Python,python,constraints)
define suite
@$(4) -c 'import sys; sys.exit(not (3, $(2)) <= sys.version_info[:2] <= (3, $(3)))' || { \
  echo "The $(1) set needs Python 3.$(2) to 3.$(3), but '$(4)' is $$($(4) --version 2>&1)." \
    "Name others: make matrix LOWEST_PYTHON=python3.10 NEWEST_PYTHON=python3.13"; exit 1; }
$(4) -m venv $(MATRIX)/$(1)
$(MATRIX)/$(1)/bin/python $(PIP) -c $(5) -e '.[dev]'
$(MATRIX)/$(1)/bin/python -m pytest -n 2 --dist loadgroup -m "not slow and not audit" -p no:cacheprovider
endef

lowest:
	$(call suite,lowest,10,12,$(LOWEST_PYTHON),constraints-lowest.txt)

newest:
	$(call suite,newest,11,13,$(NEWEST_PYTHON),constraints.txt)

peers: $(VENV)/.dev ## Run Keras' own tests with our classes: make peers KERAS=folder-of-its-sources
	$(BIN)/python -m tests.peers keras $(KERAS)

notebooks: $(VENV)/.dev ## Make a notebook of each example, beside it
	$(BIN)/jupytext --quiet --to ipynb $$(grep -l '^# %%' examples/*.py)

fuzz: $(VENV)/.dev ## Feed the readers of files what nobody wrote: make fuzz SECONDS=300 SEED=1
	PYTHONPATH=$(CURDIR) $(BIN)/python -m tests.fuzz --seconds $(SECONDS) --seed $(SEED) $(ONLY)

coverage: $(VENV)/.dev ## Say which branches no test takes (about 25 minutes on 2 cores), or: TESTS=tests/test_store.py
	$(BIN)/python -m coverage erase
	PYTHONPATH=$(CURDIR) $(BIN)/python -m coverage run -m pytest -n $(JOBS) --dist loadgroup -p no:cacheprovider $(TESTS)
	$(BIN)/python -m coverage combine --quiet
	$(BIN)/python -m coverage report $(if $(TESTS),--fail-under=0)

release: $(VENV)/.dev ## Go through the checklist of docs/releasing.md, and leave the release in dist/
	$(BIN)/python -m releasing --lowest $(LOWEST_PYTHON) --newest $(NEWEST_PYTHON) $(STEPS)

format: $(VENV)/.dev ## Format the code, and write what follows from the catalog
	$(BIN)/python -m tests.generated
	$(BIN)/ruff check --fix --quiet .
	$(BIN)/ruff format .

check: lint types

lint: $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/oxlint --deny-warnings callbacks experiments

types: $(VENV)/.dev
	$(BIN)/python -m mypy

docs: $(VENV)/.dev ## Build the documentation, from the docstrings too: docs/_build/html/index.html
	$(SPHINX) -b html docs docs/_build/html
	@echo "Open docs/_build/html/index.html"

links: $(VENV)/.dev ## Ask for every address on the internet that the documentation names
	$(SPHINX) -b linkcheck docs docs/_build/links

clean: ## Remove the environment and caches that make made (not runs/)
	@if grep -qs created $(VENV)/.made; then rm -rf $(VENV); else rm -f $(VENV)/.made $(VENV)/.dev $(VENV)/.experiments; fi
	rm -rf tfadaopt.egg-info .mypy_cache .hypothesis .pytest_cache .ruff_cache .matrix docs/_build
	find . -name __pycache__ -not -path './.*' -prune -exec rm -rf {} +

# An environment is made once per change of what it depends on; dev contains experiments.
# The installed version is that of __init__.py on the day it was installed.
$(VENV)/.dev: pyproject.toml constraints.txt constraints-lowest.txt tfadaopt/__init__.py $(VENV)/.made
	@echo "Installing the tested environment into $(VENV): it takes some minutes, once."
	$(PIP_INSTALL) -e '.[dev]'
	@touch $(VENV)/.experiments $@

$(VENV)/.experiments: pyproject.toml constraints.txt constraints-lowest.txt $(VENV)/.made
	@echo "Installing the tested environment into $(VENV): it takes some minutes, once."
	$(PIP_INSTALL) -e '.[experiments]'
	@touch $@

# The stamp says whether the environment was there before: `make clean` leaves such a one alone.
$(VENV)/.made:
	@command -v $(PYTHON) >/dev/null || { \
	  echo "There is no '$(PYTHON)'. Install Python 3.10 to 3.13, or name one: make PYTHON=python3.12 …"; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 10) <= sys.version_info[:2] <= (3, 13))' || { \
	  echo "tfadaopt needs Python 3.10 to 3.13 (of which TensorFlow has packages), but '$(PYTHON)' is $$($(PYTHON) --version 2>&1)." \
	    "Name another: make PYTHON=python3.12 …"; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' || { \
	  echo "'$(PYTHON)' cannot make environments: install its venv module (on Debian: apt install python3-venv)."; exit 1; }
	@if [ -e $(VENV) ]; then origin=found; else origin=created; fi; \
	$(PYTHON) -m venv $(VENV) && echo $$origin > $@
