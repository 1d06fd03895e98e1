# The same commands for people and for CI. `make` alone lists them.
PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed

.DEFAULT_GOAL := help
.PHONY: help setup demo demo-serve test test-all bench check minimal docs constraints clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: $(STAMP) ## make .venv with everything the project needs

# two processes run the tests: threads of their own would wait for one another
ONE_CORE_EACH := OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1

$(STAMP): pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[all,dev]'
	touch $@

demo: $(STAMP) ## from raw data to measured, explained recommendations
	$(BIN)/python examples/demo.py

demo-serve: $(STAMP) ## the same model as a service: events, a new film, versions, reasons, erasure, by curl
	$(BIN)/python examples/serve.py

test: check ## style, types, import map and the quick tests
	$(ONE_CORE_EACH) $(BIN)/python -m pytest -n 2 -m "not slow"

test-all: check minimal ## the slow tests too, and those with the core dependencies alone
	$(ONE_CORE_EACH) $(BIN)/python -m pytest -n 2

check: $(STAMP) ## style, types and the import map, without running anything
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/pyright
	$(BIN)/lint-imports --no-cache

minimal: ## tests in an environment with the core dependencies alone
	PYTHON="$(PYTHON)" .ci/minimal

bench: $(STAMP) ## measure quality, time and memory again; DATA=folder of the public sets
	@test -n "$(DATA)" || { echo "make bench DATA=folder with the public sets (see benchmarks/README.md)"; exit 2; }
	$(BIN)/python benchmarks/speed.py
	$(BIN)/python benchmarks/quality.py --data $(DATA)

docs: $(STAMP) ## write docs/cli.md from the commands' own help
	$(BIN)/typer accord.cli.app utils docs --name accord --output docs/cli.md

constraints: $(STAMP) ## pin what is installed now in constraints.txt
	$(BIN)/python tools/constraints.py > constraints.new
	mv constraints.new constraints.txt
	touch $(STAMP)

clean: ## remove environments, caches and build products
	rm -rf $(VENV) .venv-minimal build dist demo src/*.egg-info
	rm -rf .pytest_cache .ruff_cache .hypothesis .import_linter_cache
	find src tests tools examples benchmarks -name __pycache__ -type d -prune -exec rm -rf {} + 2>/dev/null || true
