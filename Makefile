# Every target does its own set-up, the virtual environment included; a stamp in it says what is installed already.
VENV ?= .venv
PYTHON ?= python3
ARGS ?=

BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check
TORCH := torch==2.13.0

.PHONY: compose studio test lint benchmarks leaderboard cards clean distclean
.DELETE_ON_ERROR:

compose: $(VENV)/.core  ## a piece in the default style, as a MIDI file here; ARGS="--style folk" for another
	@$(BIN)/partimento compose $(ARGS)

studio: $(VENV)/.studio  ## the studio in the browser; ARGS="--port 9000" for another port
	@$(BIN)/partimento studio $(ARGS)

test: $(VENV)/.full
	$(BIN)/python -m pytest $(ARGS)

lint: $(VENV)/.full
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

benchmarks: $(VENV)/.benchmark  ## runs the quick ones, then puts their figures into docs/benchmarks.md
	$(BIN)/python benchmarks/roundtrip.py
	$(BIN)/python benchmarks/listen.py
	$(BIN)/python benchmarks/evaluate.py
	$(BIN)/python benchmarks/speed.py $(ARGS)
	$(BIN)/python benchmarks/studio.py
	$(BIN)/python benchmarks/leaderboard.py

leaderboard: $(VENV)/.core  ## docs/benchmarks.md from the figures in benchmarks/results, nothing measured anew
	$(BIN)/python benchmarks/leaderboard.py

# pip, not python, is the target: a venv that could not be finished has a python but no pip
$(BIN)/pip:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Partimento needs Python 3.11 or newer: make PYTHON=python3.11")'
	$(PYTHON) -m venv $(VENV)

$(VENV)/.core: pyproject.toml | $(BIN)/pip
	$(PIP) --editable .
	@touch $@

$(VENV)/.studio: pyproject.toml | $(BIN)/pip
	$(PIP) --editable '.[studio,score,audio]'
	@touch $(VENV)/.core $@

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
