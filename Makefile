# Two commands are all a newcomer needs: `make demo` and `make test`.
# Each creates .venv and installs everything into it, once, from the pins in constraints.txt.

VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed

.DELETE_ON_ERROR:
.PHONY: help demo test check format clean

help:
	@echo "make demo    segment a synthetic abdomen with the embedded network, into demo_output/"
	@echo "make test    format, lint, types, layers and tests"
	@echo "make format  rewrite the code in the project's format"
	@echo "make clean   remove the virtual environment and all caches"

demo: $(INSTALLED)
	$(BIN)/rma-mamba demo --output demo_output

test check: $(INSTALLED)
	scripts/check

format: $(INSTALLED)
	$(BIN)/ruff format
	$(BIN)/ruff check --fix

$(INSTALLED): pyproject.toml constraints.txt scripts/install
	scripts/install $(VENV)
	@touch $@

clean:
	rm -rf $(VENV) build dist demo_output .coverage .hypothesis .import_linter_cache \
	    .mypy_cache .pytest_cache .ruff_cache
	find src tests examples -name __pycache__ -prune -exec rm -rf {} +
