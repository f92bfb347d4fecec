# What can be made: `make help`. Nothing outside the checkout is written.

VENV ?= .venv
# The first Python that the package supports; `make PYTHON=python3.12` chooses another.
PYTHON ?= $(shell for python in python3 python3.13 python3.12 python3.11; do \
	$$python -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 14))' \
	2>/dev/null && echo $$python && break; done)
# Test processes side by side; 0 runs all in one.
WORKERS ?= 2
# Further arguments for pytest: make test ARGS='-x -k mask'
ARGS ?=
# For the PyTorch tests. PyPI's build for Linux brings CUDA; a CPU build can be had with
# PIP_EXTRA_INDEX_URL=https://download.pytorch.org/whl/cpu TORCH=torch==2.13.0+cpu
TORCH ?= torch==2.13.0

PY = $(VENV)/bin/python
STAMP = $(VENV)/.installed
DEMO_STAMP = $(VENV)/.installed-for-demo
TORCH_VENV = $(VENV)-torch
FLOOR_VENV = $(VENV)-floor

export TF_CPP_MIN_LOG_LEVEL ?= 2
# Each test process computes on one core: two that share two cores are slower.
ONE_CORE = TF_NUM_INTRAOP_THREADS=1 TF_NUM_INTEROP_THREADS=1 OMP_NUM_THREADS=1
# What JAX has compiled, for the other test process and the next run; a test on TensorFlow
# starts JAX too. An entry's key holds the program, the options and the version; a damaged
# entry is compiled anew.
COMPILED = JAX_COMPILATION_CACHE_DIR=$(CURDIR)/.cache/jax \
	JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS=0 \
	JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES=-1
PYTEST_ARGS = -q -n $(WORKERS) --dist loadfile $(ARGS)
QUICK = not slow and not data and not browser and not spark
ELSEWHERE = $(QUICK) and not tensorflow and not one_backend
# XLA's older code generator for fusions: a third less to compile. A JAX that does not know
# the option stops at once; `make test-jax QUICK_XLA=` leaves it out.
QUICK_XLA = XLA_FLAGS="--xla_cpu_use_fusion_emitters=false $(XLA_FLAGS)"
# The rooms that compute with the backend, and those of its tests that every backend
# must pass.
ON_BACKENDS = $(wildcard $(addprefix tests/,layers losses metrics teachers explainer \
	explanation export runs zoo)) tests/test_gradients.py

.DEFAULT_GOAL := help
.PHONY: help setup demo test test-tensorflow test-jax test-torch test-floor test-slow \
	test-data test-serving test-browser test-spark fuzz killed long audit docs dist lint types \
	tree clean distclean

help:  ## list what can be made
	@sed -nE 's/^([a-z-]+):[^#]*## (.*)/  \1\t\2/p' $(MAKEFILE_LIST) | expand -t 20

setup: $(STAMP)  ## make the environment (VENV=.venv), once

$(STAMP): setup.py requirements-dev.lock
	@test -n "$(PYTHON)" || { echo "No Python 3.11 to 3.13 found: make PYTHON=…"; exit 1; }
	test -x $(PY) || $(PYTHON) -m venv $(VENV)
	$(PY) -m pip install --quiet -c requirements-dev.lock -e '.[dev,jax,report]'
	@touch $@

demo: $(DEMO_STAMP)  ## learn, measure and show an explainer of drawn creatures, offline
	KERAS_BACKEND=tensorflow $(VENV)/bin/keras-explainer demo --out demo $(ARGS)

$(DEMO_STAMP): setup.py requirements-dev.lock
	@test -n "$(PYTHON)" || { echo "No Python 3.11 to 3.13 found: make PYTHON=…"; exit 1; }
	test -x $(PY) || $(PYTHON) -m venv $(VENV)
	$(PY) -m pip install --quiet -c requirements-dev.lock -e '.[report]'
	@touch $@

test: test-tensorflow test-jax  ## all quick tests, on TensorFlow and on JAX

test-tensorflow: $(STAMP)  ## quick tests on TensorFlow
	$(ONE_CORE) $(COMPILED) KERAS_BACKEND=tensorflow $(PY) -m pytest $(PYTEST_ARGS) \
		-m "$(QUICK)"

test-jax: $(STAMP)  ## quick tests of what computes, on JAX
	$(ONE_CORE) $(COMPILED) $(QUICK_XLA) KERAS_BACKEND=jax $(PY) -m pytest $(PYTEST_ARGS) \
		-m "$(ELSEWHERE)" $(ON_BACKENDS)

test-torch: $(TORCH_VENV)/.installed  ## the same on PyTorch, without TensorFlow
	$(ONE_CORE) KERAS_BACKEND=torch $(TORCH_VENV)/bin/python -m pytest $(PYTEST_ARGS) \
		-m "$(ELSEWHERE)" $(ON_BACKENDS) tests/packaging/test_light_machine.py

$(TORCH_VENV)/.installed: setup.py requirements-dev.lock
	test -x $(TORCH_VENV)/bin/python || $(PYTHON) -m venv $(TORCH_VENV)
	$(TORCH_VENV)/bin/python -m pip install --quiet -c requirements-dev.lock $(TORCH) \
		keras numpy Pillow typer rich pydantic PyYAML \
		build hypothesis pytest pytest-xdist scikit-learn scipy setuptools wheel
	$(TORCH_VENV)/bin/python -m pip install --quiet --no-deps -e .
	@touch $@

test-floor: $(FLOOR_VENV)/.installed  ## the same on the lowest versions (Python 3.11, 3.12)
	for backend in tensorflow jax; do \
		$(ONE_CORE) KERAS_BACKEND=$$backend $(FLOOR_VENV)/bin/python -m pytest \
			$(PYTEST_ARGS) -m "$(QUICK)" $(ON_BACKENDS) tests/datasets || exit 1; done

$(FLOOR_VENV)/.installed: setup.py requirements-floor.lock
	test -x $(FLOOR_VENV)/bin/python || $(PYTHON) -m venv $(FLOOR_VENV)
	$(FLOOR_VENV)/bin/python -m pip install --quiet -c requirements-floor.lock \
		-e '.[jax]' pytest pytest-xdist hypothesis scipy scikit-learn
	@touch $@

test-slow: $(STAMP)  ## tests that take minutes
	KERAS_BACKEND=tensorflow $(PY) -m pytest -q -m "slow and not data and not browser and not spark" $(ARGS)

test-data: $(STAMP)  ## tests on photographs (KERAS_EXPLAINER_SHARED=../shared)
	KERAS_BACKEND=tensorflow $(PY) -m pytest -q -m data $(ARGS)

# The server serves what `python tests/serving/served_models.py FOLDER` wrote:
# docs/how-to/serve.md, "Tests against a real server".
test-serving: $(STAMP)  ## tests of serving, also by TF_SERVING_ADDRESS=host:8500,http://host:8501
	@test -n "$(TF_SERVING_ADDRESS)" || \
		{ echo "TF_SERVING_ADDRESS names no server: docs/how-to/serve.md"; exit 1; }
	$(ONE_CORE) KERAS_BACKEND=tensorflow TF_SERVING_ADDRESS=$(TF_SERVING_ADDRESS) \
		$(PY) -m pytest -q -m "$(QUICK)" tests/serving $(ARGS)

# Figures: docs/reliability.md. An interrupted campaign of hostile files goes on.
fuzz: $(STAMP)  ## a hundred thousand hostile files (ARGS='--share 0.1' for a tenth)
	$(ONE_CORE) KERAS_BACKEND=tensorflow $(PY) -m benchmarks.fuzz $(ARGS)

killed: $(STAMP)  ## learning killed at 20 random moments, in both recipes
	for recipe in single places; do \
		$(ONE_CORE) $(PY) -m benchmarks.killed --recipe $$recipe $(ARGS) || exit 1; done

long: $(STAMP)  ## 200 epochs: memory and speed, in both recipes
	for recipe in single places; do \
		$(ONE_CORE) KERAS_BACKEND=tensorflow $(PY) -m benchmarks.long_run \
			--recipe $$recipe $(ARGS) || exit 1; done

# Asks PyPI for known weaknesses of the locked versions. A version that PyPI does not
# know is an error: a mirror without advisories would look like a clean result.
audit: $(STAMP)  ## known weaknesses of the locked versions
	$(PY) -m pip install --quiet 'pip-audit>=2.7'
	$(PY) -m pip_audit -r requirements-dev.lock --no-deps --disable-pip --strict $(ARGS)

docs: tree  ## the documentation's site, in build/site
	$(PY) -m mkdocs build --strict --quiet

# Debian's Chromium, where there is none and we may install it; CHROMIUM=PATH names another.
test-browser: $(STAMP)  ## the report in a real browser
	$(PY) -m pip install --quiet -c requirements-dev.lock -e '.[browser]'
	test -n "$(CHROMIUM)" || command -v chromium >/dev/null \
		|| { apt-get update -qq && apt-get install -y -qq chromium; }
	KERAS_BACKEND=tensorflow $(PY) -m pytest -q -m browser $(ARGS)

# Debian's Java, where there is none and we may install it. A master and two workers are
# started, and ended, on the loopback interface.
test-spark: $(STAMP)  ## explaining a dataset on a Spark cluster of this machine
	$(PY) -m pip install --quiet -c requirements-dev.lock -e '.[spark]'
	command -v java >/dev/null \
		|| { apt-get update -qq && apt-get install -y -qq default-jre-headless; }
	KERAS_BACKEND=tensorflow $(PY) -m pytest -q -m spark $(ARGS)

dist: $(STAMP)  ## wheel and sdist, the same bytes for the same commit
	SOURCE_DATE_EPOCH=$$(git log -1 --format=%ct) $(PY) -m build --no-isolation

# The package as it is installed, `zoo` in its place: tools that read files, not an
# installation, see the import names.
tree: $(STAMP)
	@rm -rf build/tree build/lib
	@$(PY) setup.py --quiet build_py --build-lib build/tree 2>/dev/null

lint: tree  ## style, format and the import contract
	$(PY) -m ruff check .
	$(PY) -m ruff format --check .
	cd build/tree && $(abspath $(VENV))/bin/lint-imports --no-cache \
		--config ../../pyproject.toml

types: tree  ## static types
	cd build/tree && $(abspath $(PY)) -m mypy --config-file ../../pyproject.toml \
		--cache-dir ../../.mypy_cache

clean:  ## remove what builds and tools leave
	rm -rf build dist *.egg-info .cache/jax .mypy_cache .ruff_cache .pytest_cache .hypothesis
	find . -name __pycache__ -not -path './.venv*' -prune -exec rm -rf {} +

distclean: clean  ## remove the environments too
	rm -rf .venv .venv-torch .venv-floor
