# Every command builds what it needs: `make demo` and `make test` work in a fresh clone.
# Another interpreter: make test PYTHON=python3.12

PYTHON ?= python3
PYTHON_VERSION := $(shell $(PYTHON) -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2>/dev/null)
BIN := .venv/bin
BUILT := .venv/built-for-$(PYTHON_VERSION)
LINKED := .venv/linked-for-$(PYTHON_VERSION)
CHECKED := connectors mappings state quality sync console scripts tests $(wildcard benchmarks)

help: ## this list
	@grep -hE '^[a-z-]+:.*## ' Makefile | sed -E 's/^([a-z-]+):.*## /\1\t/' | expand -t 16

demo: $(LINKED) ## a day of a simulated company, end to end
	$(BIN)/liuke demo

test: style types imports tests wheel ## everything that must hold

style: $(LINKED)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(LINKED)
	$(BIN)/mypy $(CHECKED)

imports: $(LINKED)
	$(BIN)/lint-imports --no-cache

# Thousands of small durable writes: in memory where there is room for temporary files.
tests: $(LINKED)
	$(if $(wildcard /dev/shm/.),TMPDIR=/dev/shm) $(BIN)/python -m pytest

wheel: $(LINKED)
	$(BIN)/python scripts/wheel_check.py

format: $(LINKED) ## rewrites the code in our style
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

test-crash: $(LINKED) ## kills the process at every point (minutes)
	$(BIN)/python -m pytest tests/crash -m crash_long

test-browser: $(LINKED) ## opens the pages in a real Chromium
	scripts/browser-test

real-input: $(LINKED) ## runs on inputs from the real world
	$(BIN)/python -m benchmarks.real_input

bench-sync: $(LINKED) ## measures how many records a second go through
	$(BIN)/python -m benchmarks.sync

environment: $(LINKED) ## only builds .venv

# The environment is rebuilt when its lock or the interpreter changes, and at no other time. Wheels only: a package
# that wants to be compiled would also fetch build tools that no lock names.
$(BUILT): requirements-dev.lock
	@case '$(PYTHON_VERSION)' in 3.11|3.12|3.13) ;; *) \
	  echo '$(PYTHON) is Python "$(PYTHON_VERSION)"; Liuke needs 3.11, 3.12 or 3.13: make PYTHON=python3.11 ...' >&2; \
	  exit 1 ;; esac
	@echo 'Building .venv from requirements-dev.lock: a minute or two, once.'
	$(PYTHON) -m venv --clear .venv
	$(BIN)/python -m pip install --quiet --only-binary=:all: --require-hashes -r requirements-dev.lock
	touch $@

$(LINKED): $(BUILT) pyproject.toml
	$(BIN)/python -m pip install --quiet --no-index --no-deps --no-build-isolation --editable .
	touch $@

# requirements.lock is what runs, requirements-dev.lock adds what checks; both hold the same versions.
COMPILE = .venv-uv/bin/uv pip compile pyproject.toml --universal --python-version 3.11 --generate-hashes \
  --no-emit-index-url --no-annotate --custom-compile-command 'make lock' --quiet \
  --extra postgres --extra excel --extra serve

lock: .venv-uv/bin/uv ## writes both lock files anew, keeping versions that still fit
	$(COMPILE) --group dev $(UPGRADE) --output-file requirements-dev.lock
	$(COMPILE) --constraints requirements-dev.lock $(UPGRADE) --output-file requirements.lock

upgrade: ## writes both lock files with the newest versions
	$(MAKE) lock UPGRADE=--upgrade

.venv-uv/bin/uv:
	$(PYTHON) -m venv --clear .venv-uv
	.venv-uv/bin/python -m pip install --quiet uv==0.13.9

clean: ## removes everything that was built
	rm -rf .venv .venv-uv build dist .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache
	find connectors mappings state quality sync console scripts tests -name __pycache__ -type d -prune -exec rm -rf {} +

.PHONY: help demo test style types imports tests wheel format test-crash test-browser real-input bench-sync \
  environment lock upgrade clean
