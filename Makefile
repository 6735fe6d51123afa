# Everything runs in one virtual environment, which the first target that needs it creates.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check
INSTALLED := $(VENV)/.installed
NOTEBOOKS := $(wildcard notebooks/*.ipynb)
# Two workers, as each compiles most of the time; one that has run out of tests takes some from the other.
WORKERS := -n 2 --dist worksteal
NETWORKS := phks-3d phks-3d-cnn phks-2d
# Most tests compile much and compute little: nothing is optimised, nor fused by MLIR. The slow ones of `COMPUTING`
# run code as users do. Compiled programs are kept for the next run, by their content, flags and versions; `make clean`
# removes them.
QUICK := XLA_FLAGS="--xla_backend_optimization_level=0 --xla_cpu_use_fusion_emitters=false \
  --xla_cpu_parallel_codegen_split_count=1"
KEPT := JAX_COMPILATION_CACHE_DIR=$(CURDIR)/.cache/jax JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS=0 \
  JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES=-1
COMPUTING := $(addprefix tests/,experiments/identify experiments/test_lagrangian.py fields methods/flows methods/grids \
  methods/particles nn particles test_notebooks.py)
BENCHMARKS := $(filter-out benchmarks/_%,$(wildcard benchmarks/*.py))

.PHONY: help install demo train test test-slow test-all lint format tables bench docs notebooks clean
.DEFAULT_GOAL := help

help:  ## list the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-10s %s\n", $$1, $$2}'

install: $(INSTALLED)  ## create .venv with the pinned dependencies

$(INSTALLED): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed: make PYTHON=python3.12 ...")'
	$(PYTHON) -m venv $(VENV)
	$(PIP) install -c constraints.txt -e ".[io,viz,cli,dev]"
	@touch $@

demo: $(INSTALLED)  ## finite volumes, particles, and particles with a network: figures in out/two-blobs
	$(BIN)/jaxchemo compare two-blobs --methods fv,sipf,nsipf --out out/two-blobs

train: $(INSTALLED)  ## the networks that are shipped, anew (about ten minutes on two cores)
	@set -e; for name in $(NETWORKS); do \
	  $(BIN)/jaxchemo train $$name --out out/train/$$name; \
	  cp out/train/$$name/$$name.npz out/train/$$name/$$name.json jaxchemo/nn/interpolators/weights/; \
	done

test: $(INSTALLED)  ## the quick tests
	$(KEPT) $(QUICK) $(BIN)/python -m pytest $(WORKERS) -m "not slow"

test-slow: $(INSTALLED)  ## only the slow tests
	$(KEPT) $(QUICK) $(BIN)/python -m pytest $(WORKERS) -m slow $(addprefix --ignore=,$(COMPUTING))
	$(BIN)/python -m pytest $(WORKERS) -m slow $(COMPUTING)

test-all: $(INSTALLED)  ## every test
	$(BIN)/python -m pytest $(WORKERS)

lint: $(INSTALLED)  ## style, formatting, types, and the floors between the rooms
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/pyright
	$(BIN)/lint-imports --no-logo

format: $(INSTALLED)  ## put the code into the project's format
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

tables: $(INSTALLED)  ## which method solves what, as the methods say, into the README and the documentation
	$(BIN)/python -m jaxchemo.methods.support README.md docs/methods.md

bench: $(VENV)/.bench  ## every benchmark, beside its peers
	@set -e; for script in $(BENCHMARKS); do echo "== $$script"; $(BIN)/python $$script; done

docs: $(VENV)/.docs  ## the documentation, in site/
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build

$(VENV)/.bench $(VENV)/.docs: $(VENV)/.%: $(INSTALLED)
	$(PIP) install -c constraints.txt -e ".[$*]"
	@touch $@

notebooks: $(INSTALLED)  ## run every notebook, leaving the files as they are
	@set -e; for notebook in $(NOTEBOOKS); do echo "== $$notebook"; $(BIN)/jupyter-execute $$notebook; done

clean:  ## remove what was made, but keep .venv
	rm -rf out site build dist .cache .pytest_cache .ruff_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -not -path './$(VENV)/*' -prune -exec rm -rf {} +
