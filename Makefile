# Two commands on a fresh machine with Python 3.11 or newer: `make demo` and `make test`.
#
# The pinned torch is taken from your package index. To choose PyTorch's own CPU or CUDA build, name its index:
#   make demo TORCH_INDEX=https://download.pytorch.org/whl/cpu
# Where that index cannot be reached, the default is taken.

PYTHON ?= python3
TORCH_INDEX ?=
BIN := .venv/bin
TORCH := $(shell sed -n 's/^torch==/torch==/p' constraints.txt)

.PHONY: demo test test-slow test-long lint docs install dev bench wheel clean

demo: .venv/base.stamp
	$(BIN)/openmie demo --out demo

test: .venv/dev.stamp
	OMP_NUM_THREADS=1 PYTHONDONTWRITEBYTECODE= $(BIN)/python -m pytest -n 2 --dist worksteal -m "not slow"

# What is dear: jobs killed many times over, statistics of many scenes, every photograph by every system
test-slow: .venv/dev.stamp
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 --dist worksteal -m slow $$(grep -rl "pytest.mark.slow" tests --include="test_*.py")

# The property tests under other random examples than CI's fixed ones: make test-long SEEDS="21 22 23"
SEEDS ?= 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20
test-long: .venv/dev.stamp
	for seed in $(SEEDS); do \
		OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 -m hypothesis \
			--hypothesis-profile=long --hypothesis-seed=$$seed || exit 1; done

lint: .venv/dev.stamp
	$(BIN)/ruff check openmie tests benchmarks docs
	$(BIN)/ruff format --check openmie tests benchmarks docs
	$(BIN)/mypy
	$(BIN)/lint-imports

install: .venv/base.stamp
dev: .venv/dev.stamp

bench: .venv/dev.stamp
	for script in benchmarks/crf.py benchmarks/span_scorer.py benchmarks/diorama_speed.py benchmarks/train_step.py; do \
		$(BIN)/python $$script || exit 1; done

.venv/base.stamp: pyproject.toml constraints.txt
	$(PYTHON) -c 'import sys; v = sys.version_info; sys.exit(0 if v >= (3, 11) else f"found Python {v[0]}.{v[1]}; expected 3.11 or newer; run: make PYTHON=python3.11 ...")'
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(if $(TORCH_INDEX),$(BIN)/python -m pip install --quiet --index-url $(TORCH_INDEX) $(TORCH) || echo "$(TORCH_INDEX) cannot be reached: taking torch from the default index")
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[models,report,demo]'
	touch $@

.venv/dev.stamp: .venv/base.stamp
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[dev]'
	touch $@

# Build the wheel, weigh it, and run it outside of this folder.
wheel: .venv/base.stamp
	rm -rf dist build/lib build/bdist.*
	$(BIN)/python -m pip wheel . --quiet --no-deps --wheel-dir dist
	$(BIN)/python benchmarks/wheel.py dist/*.whl

clean:
	rm -rf .venv demo runs build dist *.egg-info

docs: .venv/dev.stamp
	$(BIN)/python docs/build/cli_reference.py
	$(BIN)/python docs/build/published_tables.py
	NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --strict --quiet
