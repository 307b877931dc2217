# One word per thing to do. Needs GNU Make and Python 3.11 or newer with venv; every target sets up .venv by itself.
PYTHON ?= python3
# Test processes at a time. More than cores, because scenarios mostly wait.
WORKERS ?= 4
BIN := .venv/bin
# `real` runs the cluster on kube-apiserver and etcd, from the folder that KUBEBUILDER_ASSETS names.
CONTROL_PLANE ?= stand-in
# `aws`, `azure`, or `both` one after the other.
CLOUD ?= both
PIP := $(BIN)/pip install --quiet --disable-pip-version-check --editable
export PYTHONPATH := $(CURDIR)

.PHONY: demo demo-azure-host test test-all lint types check bench format

demo: .venv/.sandbox  ## on each cloud: a backup, its proof, the refuted random moment, a disaster, its restore and the undo
	$(BIN)/python -m infra.sandbox.demo --cloud $(CLOUD) --control-plane $(CONTROL_PLANE)

demo-azure-host: .venv/.sandbox  ## the same on Azure with Microsoft's own Functions host, where Core Tools and Azurite are on PATH
	$(BIN)/python -m infra.sandbox.demo --cloud azure-host --control-plane $(CONTROL_PLANE)

PYTEST := $(BIN)/pytest -n $(WORKERS) --dist loadfile --no-loadscope-reorder

test: .venv/.dev  ## every test but the extended scenarios
	$(PYTEST)

test-all: .venv/.dev  ## every test
	$(PYTEST) --extended

lint: .venv/.dev  ## style, import layers, SAM template, state machines
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/lint-imports
	$(BIN)/cfn-lint infra/aws/template.yaml
	$(BIN)/statelint functions_aws/state_machines/*.json

types: .venv/.dev  ## mypy, strict
	$(BIN)/mypy

check: lint types test  ## everything that must hold before a change is merged

bench: .venv/.dev  ## the numbers of docs/benchmarks.md
	$(BIN)/python -m tests.bench

format: .venv/.dev  ## rewrites the code the way `lint` wants it
	$(BIN)/ruff check --fix-only
	$(BIN)/ruff format

# The stamps are newer than pyproject.toml exactly when everything it asks for is installed.
.venv/.sandbox: pyproject.toml
	$(PYTHON) -m venv .venv
	$(PIP) '.[sandbox]'
	touch $@

.venv/.dev: pyproject.toml
	$(PYTHON) -m venv .venv
	$(PIP) '.[dev]'
	touch .venv/.sandbox $@
