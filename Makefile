# Every target does its own set-up: it needs Python 3.11 or later, git and make.
#
#   make test PYTHON=python3.13 VENV=.venv-3.13     the same with another Python, in a folder of its own

PYTHON ?= python3
VENV   ?= .venv
BIN    := $(VENV)/bin
READY  := $(VENV)/.ready
BENCH  := $(VENV)/bench

# Each has an extra and a group of these names in pyproject.toml.
ADAPTERS := agent-framework claude-agent-sdk google-adk langgraph llama-index openai-agents pydantic-ai strands

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help test adapters lint demo bench soak screenshots generate clean

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "make %-11s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

test: $(READY) ## Run the tests
	$(BIN)/python -m pytest --numprocesses auto --dist worksteal

adapters: $(ADAPTERS:%=$(VENV)/adapters/%/.ready) ## Run the tests of the adapters, each with its framework
	@set -e; for name in $(ADAPTERS); do \
	  echo "== $$name"; \
	  $(VENV)/adapters/$$name/bin/python -m pytest --numprocesses auto --dist worksteal -p no:cacheprovider \
	    tests/adapters/$$(echo $$name | tr - _); \
	done

lint: $(READY) ## Check style, format, types, layers and generated files
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python tools/generate_aio.py --check
	$(BIN)/python tools/generate_http_docs.py --check
	$(BIN)/python tools/generate_adapter_docs.py --check

demo: $(READY) ## Run the example
	$(BIN)/python examples/demo.py

bench: $(BENCH)/.ready ## Measure and print the numbers
	$(BENCH)/bin/python bench/run.py

# The fuzzer has no builds for some systems and Pythons. Where it is missing its part is skipped, which the run says.
soak: $(READY) ## Break things on purpose for a quarter of an hour
	-$(BIN)/python -m pip install --quiet --only-binary :all: atheris
	$(BIN)/python soak/run.py

screenshots: $(READY) ## Take the pictures of the web page, with the system's Chromium
	$(BIN)/python tools/screenshots.py

generate: $(READY) ## Write the generated files again
	$(BIN)/python tools/generate_aio.py
	$(BIN)/python tools/generate_http_docs.py
	$(BIN)/python tools/generate_adapter_docs.py

clean: ## Remove the environment, caches and builds
	rm -rf $(VENV) build dist .coverage htmlcov .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache
	find bench examples soak src tests tools -type d -name __pycache__ -prune -exec rm -rf {} +

# pip installs dependency groups from 25.1 on, and a new environment may hold an older pip.
$(READY): pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade 'pip>=25.1'
	$(BIN)/python -m pip install --quiet --editable . --group dev
	@touch $@

$(VENV)/adapters/%/.ready: pyproject.toml
	$(PYTHON) -m venv $(@D)
	$(@D)/bin/python -m pip install --quiet --upgrade 'pip>=25.1'
	$(@D)/bin/python -m pip install --quiet --editable '.[$*,server]' --group adapters --group adapter-$*
	@touch $@

# Measured in an environment of its own: what clew is compared with would bring a plugin into every run of pytest.
$(BENCH)/.ready: pyproject.toml
	$(PYTHON) -m venv $(BENCH)
	$(BENCH)/bin/python -m pip install --quiet --upgrade 'pip>=25.1'
	$(BENCH)/bin/python -m pip install --quiet --editable . --group bench
	@touch $@
