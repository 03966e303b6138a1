# The commands anyone can guess. Nothing but Python 3.11 or newer and make is needed for them;
# `make test` also wants Chromium, which it installs by apt where it can.
PYTHON ?= $(firstword $(foreach name,python3.11 python3.12 python3.13 python3,$(shell command -v $(name))))
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet

.PHONY: help demo serve test test-all lint clean

help:
	@echo "make demo      install all, write the example's copy, make a login to review it"
	@echo "make serve     start the web UI, the API and the worker"
	@echo "make test      run the tests"
	@echo "make test-all  run the slow tests too: llama.cpp is compiled for them"
	@echo "make lint      run the linters and the type checker"

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
		|| { echo "Python 3.11 or newer is needed: make PYTHON=python3.12 …"; exit 2; }
	@echo "Making a virtual environment in $(VENV) …"
	@$(PYTHON) -m venv $(VENV) \
		|| { rm -rf $(VENV); echo "On Debian and Ubuntu: sudo apt-get install python3-venv"; exit 2; }

$(VENV)/installed: pyproject.toml | $(BIN)/python
	@echo "Installing copygen and its libraries (about 2 GB, some minutes) …"
	@$(PIP) install --editable .
	@touch $@

$(VENV)/installed-dev: pyproject.toml $(VENV)/installed
	@echo "Installing the tools of the tests …"
	@$(PIP) install --editable '.[dev]'
	@touch $@

$(VENV)/installed-slow: pyproject.toml $(VENV)/installed-dev
	@echo "Compiling llama.cpp (some minutes; it needs a C++ compiler) …"
	@$(PIP) install --editable '.[dev,slow]'
	@touch $@

demo: $(VENV)/installed
	@$(BIN)/copygen demo

serve: $(VENV)/installed
	@$(BIN)/copygen models pull
	@$(BIN)/copygen serve

test: lint chromium
	@COPYGEN_MODEL= COPYGEN_MODEL_SHA256= $(BIN)/copygen models pull
	@$(BIN)/python -m pytest

test-all: lint chromium $(VENV)/installed-slow
	@$(BIN)/copygen models pull
	@$(BIN)/python -m pytest -m ''

lint: $(VENV)/installed-dev
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy

.PHONY: chromium
chromium:
	@(for name in chromium chromium-browser google-chrome; do command -v $$name && exit; done; false) \
		>/dev/null \
		|| { command -v apt-get >/dev/null && echo "Installing Chromium …" && \
		     SUDO=$$([ $$(id -u) = 0 ] || echo sudo) && $$SUDO apt-get update -qq && \
		     $$SUDO env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq chromium >/dev/null; } \
		|| { echo "The browser tests need Chromium: install it and run make test again."; exit 2; }

clean:
	rm -rf $(VENV) dist build .pytest_cache .mypy_cache .ruff_cache
