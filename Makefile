# The one door: `make check` is what CI runs. All of this needs Python 3.11+, git and make.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
SUPPORTED := 'import sys; sys.exit(sys.version_info < (3, 11) and "modelspec needs Python 3.11 or newer")'
SOURCES := src tests benchmarks demo training

.PHONY: install demo demo-trace test check lint types layers registry slow cluster pages bench tools clean
.DEFAULT_GOAL := check

# The command as .venv/bin/modelspec, with all that the tests need.
install: $(VENV)/.done

# The demo trains with the packages that the example's lock names, and runs a real serving engine, which
# needs others: each gets an environment of its own.
demo: .venv-train/.done .venv-demo/.done
	.venv-demo/bin/python demo/run.py

# One request of a first version's time, traced and asked again after two promotions and a rollback.
demo-trace: .venv-train/.done .venv-demo/.done
	.venv-demo/bin/python demo/trace.py

test: $(VENV)/.done
	$(BIN)/python -m pytest -n auto

# What takes minutes: every kill point, many more generated examples.
slow: $(VENV)/.done
	$(BIN)/python -m pytest -n auto -m "not cluster" --hypothesis-profile=slow

# What is compiled, applied to a Kubernetes API server with KServe's own controller, and observed there. They are
# built first, from their sources: a quarter of an hour, once. Needs Go.
cluster: $(VENV)/.done .tools/cluster/.done
	$(BIN)/python -m pytest tests/cluster -m cluster

.tools/cluster/.done: tests/cluster/build.py
	$(PYTHON) tests/cluster/build.py .tools/cluster
	touch $@

check: lint types layers test registry

lint: $(VENV)/.done
	$(BIN)/ruff format --check $(SOURCES)
	$(BIN)/ruff check $(SOURCES)

types: $(VENV)/.done
	$(BIN)/mypy

layers: $(VENV)/.done
	$(BIN)/lint-imports --no-cache

registry: $(VENV)/.done
	$(BIN)/modelspec check
	$(BIN)/modelspec compile --check

# What pages say of the code, where the code can say it.
pages: $(VENV)/.done
	$(BIN)/python tests/docs/write.py

bench: $(VENV)/.done
	$(BIN)/python benchmarks/run.py

# Servers and tools that some tests need and that no Python package has; without them those tests skip.
# An OCI registry is Debian's package docker-registry.
tools:
	GOBIN=$(CURDIR)/.tools go install github.com/versity/versitygw/cmd/versitygw@v1.8.0
	GOBIN=$(CURDIR)/.tools go install oras.land/oras/cmd/oras@v1.3.6
	GOBIN=$(CURDIR)/.tools go install github.com/fsouza/fake-gcs-server@v1.56.1
	GOBIN=$(CURDIR)/.tools go install github.com/rhysd/actionlint/cmd/actionlint@v1.7.12
	$(PYTHON) tests/cluster/build.py .tools/definitions definitions

clean:
	rm -rf .tools .venv .venv-demo .venv-train .mypy_cache .ruff_cache .pytest_cache .hypothesis

$(VENV)/.done: pyproject.toml
	$(PYTHON) -c $(SUPPORTED)
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --upgrade "pip>=25.1"
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable . --group dev
	touch $@

# MLServer 1.7.1 runs with Python 3.13 and declares that it does not.
.venv-demo/.done: pyproject.toml
	$(PYTHON) -c $(SUPPORTED)
	$(PYTHON) -m venv .venv-demo
	.venv-demo/bin/python -m pip install --quiet --disable-pip-version-check --upgrade "pip>=25.1"
	.venv-demo/bin/python -m pip install --quiet --disable-pip-version-check --editable ".[mlserver,trace]" \
	  $$($(PYTHON) -c 'import sys; print("--ignore-requires-python" if sys.version_info >= (3, 13) else "")')
	touch $@

.venv-train/.done: pyproject.toml training/requirements.txt
	$(PYTHON) -c $(SUPPORTED)
	$(PYTHON) -m venv .venv-train
	.venv-train/bin/python -m pip install --quiet --disable-pip-version-check --upgrade "pip>=25.1"
	.venv-train/bin/python -m pip install --quiet --disable-pip-version-check --editable . \
	  --requirement training/requirements.txt
	touch $@
