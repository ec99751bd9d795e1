# Two commands are all a newcomer needs: `make demo` and `make test`.
# Each creates .venv and installs what it needs into it, once, from the pins in constraints.txt:
# the demo what segments, measures and reports, without torch; the tests also what trains, checks and builds.
# On Linux the tests take the small CPU build of torch where one is offered; TORCH=cuda takes the CUDA build, also for the demo.

VENV := .venv
BIN := $(VENV)/bin
CORE := $(VENV)/.installed-core
DEV := $(VENV)/.installed-dev
export TORCH ?= cpu

.DELETE_ON_ERROR:
.PHONY: help demo test check docs docs-serve format clean

help:
	@echo "make demo    segment a synthetic abdomen with the bundled network, into demo_output/"
	@echo "make test    format, lint, types, layers and tests"
	@echo "make docs    build the documentation into site/; a dead link or image is an error"
	@echo "make docs-serve   the same, served while you write"
	@echo "make format  rewrite the code in the project's format"
	@echo "make clean   remove the virtual environment and all caches"

demo: $(CORE)
	$(BIN)/rma-mamba demo --output demo_output

test check: $(DEV)
	scripts/check

docs docs-serve: $(DEV)
	$(BIN)/python scripts/docs_reference.py
	$(BIN)/zensical $(if $(filter docs-serve,$@),serve,build --strict --clean)

format: $(DEV)
	$(BIN)/ruff format
	$(BIN)/ruff check --fix

$(CORE): pyproject.toml constraints.txt scripts/install
	scripts/install $(VENV)
	@touch $@

$(DEV): pyproject.toml constraints.txt scripts/install
	scripts/install $(VENV) dev
	@touch $(CORE) $@

clean:
	rm -rf $(VENV) build dist wheelhouse demo_output site .cache .coverage .hypothesis .import_linter_cache \
	    .mypy_cache .pytest_cache .ruff_cache
	find src tests examples -name __pycache__ -prune -exec rm -rf {} +
