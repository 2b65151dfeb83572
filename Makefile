# Two commands do everything on a machine with Python 3.11+ and make: `make run` and `make test`.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check

.PHONY: run test check format bench torture lock clean

run: $(VENV)/run.stamp ## open the app on the digits preset
	@$(BIN)/nn-tui digits-mlp

test: $(VENV)/dev.stamp ## run the tests
	$(BIN)/python -m pytest -n auto --dist loadgroup

check: $(VENV)/dev.stamp ## format, lint, types, layers
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: $(VENV)/dev.stamp
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

bench: $(VENV)/dev.stamp ## measure against the references; writes benchmarks/RESULTS.md
	$(BIN)/python -m benchmarks

torture: $(VENV)/dev.stamp ## hours: kill, hang up, stall, fill the disk; writes docs/reliability.md
	$(BIN)/python -m torture

# The hashed lock files, compiled for all platforms from pyproject.toml.
LOCK := uv pip compile --quiet --universal --generate-hashes --no-header --no-annotate --python-version 3.11
lock:
	$(LOCK) --group build -o requirements.txt pyproject.toml
	$(LOCK) --group build --group dev -c requirements.txt -o requirements-dev.txt pyproject.toml

$(VENV)/run.stamp: requirements.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit("nn-tui needs Python 3.11 or newer; say which: make PYTHON=python3.12" if sys.version_info < (3, 11) else 0)'
	@echo "Setting up the environment in $(VENV) (once, about a minute) ..."
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(INSTALL) --require-hashes -r requirements.txt
	@$(INSTALL) --no-deps --no-build-isolation -e .
	@touch $@

$(VENV)/dev.stamp: $(VENV)/run.stamp requirements-dev.txt
	@echo "Adding the test tools to $(VENV) ..."
	@$(INSTALL) --require-hashes -r requirements-dev.txt
	@touch $@

clean:
	rm -rf $(VENV) build dist
