# Few words, all here: `make help`. Everything that is made lies below .local/.

SHELL := /bin/sh
VENV := .local/venv/bin
ROOMS := beam_pipeline functions simulator infra tests

# A Python >= 3.11 that runs and can make environments (a pyenv shim may exist and not run).
SYSTEM_PYTHON = $(shell for name in python3 python3.12 python3.13 python3.11 /usr/bin/python3 \
	"$$HOME"/.pyenv/versions/3.1[123]*/bin/python3 "$$PYENV_ROOT"/versions/3.1[123]*/bin/python3; do \
	"$$name" -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' 2>/dev/null \
	&& echo "$$name" && break; done)

.DEFAULT_GOAL := help
.PHONY: help setup demo train prove bench test soak test-spark check down clean lock

help: ## list every target
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: ## make the environments and fetch the jars; the targets below do it by themselves
	@test -n "$(SYSTEM_PYTHON)" || { \
	echo "No Python 3.11 or newer with its venv module was found: install one (on Debian and Ubuntu: apt-get install python3 python3-venv)." >&2; \
	exit 2; }
	@"$(SYSTEM_PYTHON)" -m infra.local setup

demo: setup ## the whole thing, live, until Ctrl-C; FOR=60 plays 60 s, then reconciles and ends
	@$(VENV)/python -m infra.local demo $(if $(FOR),--for $(FOR)) $(ARGS)

bench: setup ## how fast it is on this machine, as one table; ARGS="--only core" measures a part
	@$(VENV)/python -m tests.bench $(ARGS)

prove: setup ## a faulty day through the whole system, graded against what the simulator knows
	@$(VENV)/python -m tests.prove $(ARGS)

train: setup ## learn from the demo's fortnight alone, and promote the model if it passes; ARGS
	@$(VENV)/python -m infra.local.learning train $(ARGS)

test: setup ## the test suite, with the services it needs; FILTER="-k words" or a path narrows it
	@$(VENV)/python -m pytest $(FILTER)

test-spark: setup ## the Spark trainer against scikit-learn's; the first time fetches Spark
	@$(VENV)/python -m infra.local setup --spark
	@$(VENV)/python -m pytest -rP tests/training/test_mllib.py $(FILTER)

soak: setup ## 20 minutes under load with outages and a kill: flat memory, exact stores; MINUTES=5 is less
	@$(VENV)/python -m tests.soak --minutes $(or $(MINUTES),20)

check: setup ## lint, formatting, types, and the direction of imports
	@$(VENV)/ruff check .
	@$(VENV)/ruff format --check .
	@$(VENV)/mypy $(ROOMS)
	@$(VENV)/python -m pytest tests/test_directions.py

down: ## stop what a demo or a test left behind, by its recorded ids
	@if test -n "$(SYSTEM_PYTHON)"; then "$(SYSTEM_PYTHON)" -m infra.local down; fi

clean: down ## remove everything that was made (.local/ and the tools' caches)
	@rm -rf .local .mypy_cache .ruff_cache .hypothesis
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +

lock: setup ## resolve the direct dependencies again into the full locks
	@UV_PYTHON_DOWNLOADS=never $(VENV)/python -m uv pip compile --quiet --universal \
	--python-version 3.11 --no-header requirements.in -o requirements.txt
	@UV_PYTHON_DOWNLOADS=never $(VENV)/python -m uv pip compile --quiet --universal \
	--python-version 3.13 --no-header --overrides infra/local/bigquery-overrides.txt \
	infra/local/bigquery-requirements.in -o infra/local/bigquery-requirements.txt
	@UV_PYTHON_DOWNLOADS=never $(VENV)/python -m uv pip compile --quiet --universal \
	--python-version 3.11 --no-header \
	infra/local/spark-requirements.in -o infra/local/spark-requirements.txt
