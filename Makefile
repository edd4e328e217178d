# Everything needed on a fresh Debian machine with Python 3.11: `make demo` and `make test`.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
CAPTURE := captures/first_light.parquet

.PHONY: demo test lint bpf bench install clean

demo: $(VENV)/.demo
	@$(BIN)/python tests/demo.py $(CAPTURE)

test: $(VENV)/.dev
	$(BIN)/pytest $(PYTEST_ARGS)

lint: $(VENV)/.dev
	$(BIN)/ruff format --check src tests captures
	$(BIN)/ruff check src tests captures
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/interrogate -q src tests
	$(MAKE) -C bpf check

bpf:
	$(MAKE) -C bpf

bench: $(VENV)/.dev
	$(BIN)/python -m pytest tests/bench -s $(PYTEST_ARGS)

install: $(VENV)/.demo

$(VENV)/bin/python:
	$(PYTHON) -m venv $(VENV)

$(VENV)/.demo: pyproject.toml | $(VENV)/bin/python
	$(BIN)/pip install --quiet --disable-pip-version-check --editable .
	@touch $@

$(VENV)/.dev: pyproject.toml | $(VENV)/bin/python
	$(BIN)/pip install --quiet --disable-pip-version-check --editable '.[dev]'
	@touch $@ $(VENV)/.demo

clean:
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis
