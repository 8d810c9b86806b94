# Every target does its own set-up, the virtual environment included; a stamp in it says what is installed already.
VENV ?= .venv
PYTHON ?= python3
ARGS ?=

BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check
TORCH := torch==2.13.0

.PHONY: compose test lint benchmarks cards clean distclean
.DELETE_ON_ERROR:

compose: $(VENV)/.core  ## a piece in the default style, as a MIDI file here; ARGS="--style folk" for another
	@$(BIN)/partimento compose $(ARGS)

test: $(VENV)/.full
	$(BIN)/python -m pytest $(ARGS)

lint: $(VENV)/.full
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

benchmarks: $(VENV)/.benchmark
	$(BIN)/python benchmarks/roundtrip.py
	$(BIN)/python benchmarks/listen.py
	$(BIN)/python benchmarks/speed.py $(ARGS)

# pip, not python, is the target: a venv that could not be finished has a python but no pip
$(BIN)/pip:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Partimento needs Python 3.11 or newer: make PYTHON=python3.11")'
	$(PYTHON) -m venv $(VENV)

$(VENV)/.core: pyproject.toml | $(BIN)/pip
	$(PIP) --editable .
	@touch $@

# torch alone and before anything that depends on it, so that nothing else chooses its build
$(VENV)/.full: pyproject.toml | $(BIN)/pip
	$(PIP) '$(TORCH)'
	$(PIP) --editable '.[train,score,audio,dev]'
	@touch $(VENV)/.core $@

$(VENV)/.benchmark: $(VENV)/.full
	$(PIP) '$(TORCH)' --editable '.[benchmark]'
	@touch $@

cards: $(VENV)/.core  ## docs/styles.md from the shipped model files
	$(BIN)/python -c "from partimento import cards; print(cards.page(), end='')" > docs/styles.md

clean:
	rm -rf build dist .pytest_cache .ruff_cache .mypy_cache .hypothesis
	find src tests benchmarks -name __pycache__ -type d -prune -exec rm -rf {} +

distclean: clean
	rm -rf $(VENV)
