# Everything that people and CI do with this project. `make` alone lists it.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

SIZE ?= 50M
KILL ?= cell:3

# The Python that makes the environments; `make PYTHON=/path/to/python3.12` names another.
export PYTHON

# Nothing of the person's own Python set-up reaches ours.
unexport PYTHONPATH PYTHONHOME

python := .venv/bin/python
compile := .venv/bin/uv pip compile --quiet --universal --python-version 3.11 --fork-strategy fewest \
	--no-strip-extras --generate-hashes --no-emit-index-url --no-emit-find-links --no-config \
	--custom-compile-command "make lock"

.PHONY: help
help: ## list what can be made
	@awk 'BEGIN { FS = ":.*## " } /^[a-z-]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: demo
demo: environment ## watch a killed job go on [SIZE=50M] [KILL=cell:3 | reply:4 | none]
	@$(python) -m demo.demo --size "$(SIZE)" --kill "$(KILL)"

.PHONY: test
test: environment-dev ## run the tests, two at a time [TESTS="tests/unit -k log"]
	@$(python) -m pytest -n 2 --dist worksteal $(TESTS)

.PHONY: lint
lint: environment-dev ## check style, types and the direction of imports
	@$(python) -m ruff check .
	@$(python) -m mypy
	@.venv/bin/lint-imports

.PHONY: bench
bench: environment-dev ## measure, beside stock RQ and stock Open Interpreter [FIGURES="recovery turn"]
	@$(python) -m bench $(FIGURES)

.PHONY: lock
lock: environment-dev ## renew the lock files in requirements/ from the .in files
	@for role in client worker build demo kernel dev; do \
		echo "requirements/$$role.txt"; \
		$(compile) --upgrade "requirements/$$role.in" --output-file "requirements/$$role.txt"; \
	done

.PHONY: venv
venv: environment-dev ## make the environments .venv (with the tests' tools) and .venv-kernel

.PHONY: clean
clean: ## remove what make has made, the environments too
	rm -rf .venv .venv-kernel .make demo-output .mypy_cache .pytest_cache .ruff_cache .hypothesis .import_linter_cache \
		services/*.egg-info
	find demo bench services tests tools -name __pycache__ -type d -prune -exec rm -rf {} +

# The environments: made if they are missing or do not fit the lock files, else left alone in no time.
.PHONY: environment environment-dev
environment:
	@python=$$(tools/find-python) && "$$python" tools/environment.py
environment-dev:
	@python=$$(tools/find-python) && "$$python" tools/environment.py --dev
