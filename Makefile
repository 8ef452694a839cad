# The system's interpreter starts fastest and is the one that a node has; any Python from 3.11 on will do.
PYTHON ?= $(shell command -v /usr/bin/python3 || command -v python3)
VENV   ?= .venv
BIN     = $(VENV)/bin
T      ?= tests
# Many tests wait for deadlines and other programs: one worker more than there are processors.
WORKERS ?= $(shell expr $$(nproc) + 1)

.PHONY: help setup demo test lint cluster bench faults soak stores clean

help:            ## what the targets do
	@sed -n 's/^\([a-z]*\):.*## /  make \1\t/p' Makefile | expand -t 20

setup: $(VENV)/.ready  ## a virtual environment with the package and what its tests need

$(VENV)/.ready: pyproject.toml
	@$(PYTHON) -m venv $(VENV) >/dev/null 2>&1 || { \
	  if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
	    apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq python3-venv >/dev/null && \
	    rm -rf $(VENV) && $(PYTHON) -m venv $(VENV); \
	  else echo "python3 -m venv fails here; install python3-venv, or say make PYTHON=/path/to/python3" >&2; exit 1; fi; }
	$(BIN)/pip install --quiet --disable-pip-version-check -e '.[test,lint]'
	@touch $@

demo: setup      ## attachments through the real bridge plugin, before your eyes
	@$(BIN)/python tests/demo.py

test: setup      ## the tests (make test T=tests/unit for some of them)
	@$(BIN)/python -m pytest -n $(WORKERS) --dist loadfile --no-loadscope-reorder $(T)

lint: setup      ## ruff and mypy --strict
	@$(BIN)/ruff check . && $(BIN)/ruff format --check . && $(BIN)/mypy

cluster: setup   ## an audit of a thousand nodes with planted faults: what it finds, time and memory
	@$(BIN)/python -m tests.audit.campaign

bench: setup     ## our figures beside Go host-local's, from one interleaved run, into the README as well
	@$(BIN)/python -m tests.bench --publish

faults: setup    ## the whole campaign of kills and failing system calls (long)
	@$(BIN)/python -m tests.faults

soak: setup      ## 100,000 calls of all kinds to one daemon, and its memory meanwhile
	@$(BIN)/python -m tests.daemon.soak

stores: setup    ## 60,000 leases through every store and back, killed on the way (long)
	@$(BIN)/python -m tests.sql

clean:           ## remove what make made
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache .hypothesis
