# `make run` does the main job, `make figures` all experiments, `make test` the tests, `make test-thorough` the
# cells of tables that it leaves out, `make docs` the pages in docs/_build/html; each sets up .venv if need be.
# Another Python: `make test PYTHON=python3.13` (it takes effect when .venv is made; delete .venv to change it).
PYTHON ?= python3
VENV_PYTHON := .venv/bin/python

.PHONY: run figures test test-thorough lint docs
.NOTPARALLEL: # two pips must not write to one environment

run: .venv/ready-experiments
	$(VENV_PYTHON) -m experiments.compare_estimators

figures: .venv/ready-experiments
	$(VENV_PYTHON) -m experiments

# Each process runs JAX with its own threads: many processes would only compete. Files in their order: by the number of
# their tests the few that take minutes would come last, when there is nothing left to do beside them.
test: .venv/ready-test
	$(VENV_PYTHON) -m pytest $(WORKERS)

test-thorough: .venv/ready-test
	$(VENV_PYTHON) -m pytest $(WORKERS) -m thorough

WORKERS := -n logical --maxprocesses 4 --no-loadscope-reorder

lint: .venv/ready-dev .venv/ready-experiments
	$(VENV_PYTHON) -m ruff check
	$(VENV_PYTHON) -m ruff format --check
	.venv/bin/lint-imports
	$(VENV_PYTHON) -m pyright --pythonpath $(VENV_PYTHON)

# Every code block of the pages runs first, and has to print what they show.
docs: .venv/ready-docs
	$(VENV_PYTHON) docs/run_blocks.py
	$(VENV_PYTHON) -m sphinx -W --keep-going -q -b html docs docs/_build/html

# One stamp per extra: set-up runs again only when the requirements or the pins have changed.
.venv/ready-%: pyproject.toml constraints.txt | .venv/bin/pip
	@echo "Installing gaussjax[$*] into .venv (a minute or two the first time)"
	@$(VENV_PYTHON) -m pip install -qq --disable-pip-version-check -c constraints.txt -e ".[$*]"
	@touch $@

# pip is the last thing that venv installs, so a half-made environment is made again.
.venv/bin/pip:
	$(if $(filter True,$(PYTHON_IS_NEW_ENOUGH)),,$(error gaussjax needs Python 3.11 or newer and $(PYTHON) is not: try make $(MAKECMDGOALS) PYTHON=python3.12))
	@$(PYTHON) -m venv .venv

PYTHON_IS_NEW_ENOUGH = $(shell $(PYTHON) -c 'import sys; print(sys.version_info >= (3, 11))' 2>/dev/null)
