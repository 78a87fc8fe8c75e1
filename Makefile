# Two commands set everything up on a bare Debian machine with Python 3.11:
#   make demo   a real model becomes a bundle; its Java and C++ projects run their own tests
#   make test   everything that the tests need, and the tests that a change must pass
#   make check  while you work: style, types, the tests that start no process, three builds
#   make all    every night: all tests, also the many alike of which `make test` takes a third, and longer fuzzing
#   make deep   by hand, hours: whole networks of PyTorch, and the page docs/coverage-torch.md
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
WORKERS ?= 3
SUDO := $(shell [ "$$(id -u)" = 0 ] || echo sudo)
export ORT_DISABLE_TELEMETRY := 1
export RPY2_CFFI_MODE := ABI
TORCH := .venv-torch
TENSORRT := .venv-tensorrt
TENSORFLOW := .venv-tensorflow
DEEP := .venv-deep
NOTEBOOKS := .venv-notebooks
export MLPACK_TORCH_PYTHON := $(CURDIR)/$(TORCH)/bin/python
export MLPACK_NOTEBOOK_PYTHON := $(CURDIR)/$(NOTEBOOKS)/bin/python
export MLPACK_TENSORFLOW_PYTHON := $(CURDIR)/$(TENSORFLOW)/bin/python
export MLPACK_TENSORRT_PYTHON := $(CURDIR)/$(TENSORRT)/bin/python

.PHONY: demo test check lint all system environments toolchains r engine torch tensorflow tensorrt deep notebooks clean

demo: $(READY) toolchains
	$(BIN)/python examples/penguins/train.py demo
	$(BIN)/mlpack build demo/penguins.joblib --example demo/penguins.parquet -o demo/dist --target java --target cpp
	$(BIN)/mlpack verify demo/dist/penguins-1.0.0 --target java --target cpp
	@echo
	@echo "Look at   demo/dist/penguins-1.0.0/evidence/report.html   what was proved, and how fast it is"
	@echo "          demo/dist/penguins-1.0.0/deploy/java/README.md the Maven project"
	@echo "          demo/dist/penguins-1.0.0/deploy/cpp/README.md  the CMake project"

test: $(READY)
	+$(MAKE) -j4 --output-sync=target --no-print-directory system environments lint
	$(BIN)/pytest -n $(WORKERS) --dist worksteal

check: $(READY) lint
	$(BIN)/pytest -n $(WORKERS) --dist worksteal --quick

all: $(READY)
	+$(MAKE) -j4 --output-sync=target --no-print-directory system environments lint
	MLPACK_FUZZ_SECONDS=60 $(BIN)/pytest -n $(WORKERS) --dist worksteal --full --durations=50

lint: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

# The Python environment, exactly as requirements.txt says.
$(READY): requirements.txt pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || (echo "Python 3.11 or later is needed: make PYTHON=/path/to/python3.11"; false)
	$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || (export DEBIAN_FRONTEND=noninteractive; $(SUDO) apt-get update -q && $(SUDO) apt-get install -qy python3-venv)
	rm -rf demo/dist
	$(PYTHON) -m venv --clear $(VENV)
	$(BIN)/python -m pip install -q --disable-pip-version-check uv==0.13.8
	$(BIN)/uv pip install -q --system-certs --python $(BIN)/python --compile-bytecode --require-hashes -r requirements.txt
	$(BIN)/uv pip install -q --system-certs --python $(BIN)/python --no-deps -e .
	touch $(READY)

# What apt installs, one after the other, beside the environments that uv makes.
system: $(READY)
	@MAKEFLAGS= $(MAKE) --no-print-directory toolchains r engine
environments: torch tensorflow tensorrt notebooks

# What the generated Java and C++ projects are built with.
toolchains: $(READY)
	@missing=; \
	command -v javac >/dev/null || missing="$$missing openjdk-17-jdk-headless"; \
	command -v mvn >/dev/null || missing="$$missing maven"; \
	command -v cmake >/dev/null || missing="$$missing cmake"; \
	command -v g++ >/dev/null || missing="$$missing g++"; \
	command -v ccache >/dev/null || missing="$$missing ccache"; \
	[ -f /usr/include/nlohmann/json.hpp ] || missing="$$missing nlohmann-json3-dev"; \
	[ -f /usr/include/boost/version.hpp ] || missing="$$missing libboost-dev"; \
	[ -z "$$missing" ] || (export DEBIAN_FRONTEND=noninteractive; $(SUDO) apt-get update -q && $(SUDO) apt-get install -qy --no-install-recommends $$missing)
	$(BIN)/python -m mlpack_toolkit.packager.setup_headers

# R and the packages whose models the tests fit.
R_PACKAGES := caret e1071 earth gam gbm glmnet kernlab mass mgcv modeldata nnet randomforest ranger recipes rpart survival
r:
	@missing=; \
	command -v Rscript >/dev/null || missing="r-base-core"; \
	for package in $(R_PACKAGES); do dpkg -s r-cran-$$package >/dev/null 2>&1 || missing="$$missing r-cran-$$package"; done; \
	[ -z "$$missing" ] || (export DEBIAN_FRONTEND=noninteractive; $(SUDO) apt-get update -q && $(SUDO) apt-get install -qy --no-install-recommends $$missing)

# A container engine and a registry, which the tests start on a socket and in folders of their own, and what reads images.
engine:
	@missing=; \
	command -v dockerd >/dev/null || missing="docker.io"; \
	command -v docker-registry >/dev/null || missing="$$missing docker-registry"; \
	command -v skopeo >/dev/null || missing="$$missing skopeo"; \
	command -v podman >/dev/null || missing="$$missing podman"; \
	[ -z "$$missing" ] || (export DEBIAN_FRONTEND=noninteractive; $(SUDO) apt-get update -q && $(SUDO) apt-get install -qy --no-install-recommends $$missing)

# PyTorch, in an environment of its own (6 GB), which models of the tests are built with.
torch: $(TORCH)/.ready
$(TORCH)/.ready: requirements-torch.txt | $(READY)
	$(BIN)/uv venv -q --clear --python $(PYTHON) $(TORCH)
	$(BIN)/uv pip install -q --system-certs --python $(TORCH)/bin/python --compile-bytecode --require-hashes -r requirements-torch.txt
	touch $(TORCH)/.ready

# A Jupyter kernel, in an environment of its own that sees the packages of the first.
notebooks: $(NOTEBOOKS)/.ready
$(NOTEBOOKS)/.ready: requirements-notebooks.txt | $(READY)
	$(BIN)/uv venv -q --clear --python $(PYTHON) $(NOTEBOOKS)
	$(BIN)/uv pip install -q --system-certs --python $(NOTEBOOKS)/bin/python --compile-bytecode --require-hashes -r requirements-notebooks.txt
	$(BIN)/python -c 'import sysconfig; print(sysconfig.get_path("purelib"), "$(CURDIR)/src", sep="\n")' > "$$($(NOTEBOOKS)/bin/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))')/mlpack.pth"
	touch $(NOTEBOOKS)/.ready

# TensorRT for RTX, in an environment of its own (230 MB), which makes engines without a GPU.
tensorrt: $(TENSORRT)/.ready
$(TENSORRT)/.ready: requirements-tensorrt.txt | $(READY)
	$(BIN)/uv venv -q --clear --python $(PYTHON) $(TENSORRT)
	$(BIN)/uv pip install -q --system-certs --python $(TENSORRT)/bin/python --require-hashes -r requirements-tensorrt.txt
	touch $(TENSORRT)/.ready

# TensorFlow and Keras, in an environment of their own (2 GB), for the same.
tensorflow: $(TENSORFLOW)/.ready
$(TENSORFLOW)/.ready: requirements-tensorflow.txt | $(READY)
	$(BIN)/uv venv -q --clear --python $(PYTHON) $(TENSORFLOW)
	$(BIN)/uv pip install -q --system-certs --python $(TENSORFLOW)/bin/python --compile-bytecode --require-hashes -r requirements-tensorflow.txt
	touch $(TENSORFLOW)/.ready

# Whole networks of PyTorch through `mlpack build`, one of 1.5 billion parameters (24 GB of memory) among them.
deep: $(READY) $(DEEP)/.ready
	MLPACK_TORCH_PYTHON=$(CURDIR)/$(DEEP)/bin/python $(BIN)/python -m benchmarks.coverage_torch --write --all --cases
$(DEEP)/.ready: requirements-deep.txt | $(READY)
	$(BIN)/uv venv -q --clear --python $(PYTHON) $(DEEP)
	$(BIN)/uv pip install -q --system-certs --python $(DEEP)/bin/python --require-hashes -r requirements-deep.txt
	touch $(DEEP)/.ready

clean:
	rm -rf $(VENV) $(TORCH) $(TENSORFLOW) $(TENSORRT) $(DEEP) $(NOTEBOOKS) build demo dist .mypy_cache .pytest_cache .ruff_cache
