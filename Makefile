# One command each; every one of them sets up first. Needs Python 3.11 or newer and nothing else.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.PHONY: setup demo test tests lint lock bench soak clean

setup: $(VENV)/.ready

$(VENV)/.ready: requirements.txt requirements-dev.txt pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.txt -r requirements-dev.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	touch $@

demo: setup
	$(BIN)/connector demo $(ARGS)

test: setup
	$(MAKE) -j2 lint tests

tests: setup
	$(BIN)/python -m pytest -n auto --dist loadfile --no-loadscope-reorder --durations 25 $(ARGS)

# Real processes are killed at named points and at random moments, many times: SEEDS and EVENTS say for how long.
# Then whatever is tried on drawn examples is tried on a thousand, and the engine on PostgreSQL.
SEEDS ?= 11,12,13,14,15,16,17,18
EVENTS ?= 3000
soak: setup
	FAULT_SEEDS=$(SEEDS) FAULT_EVENTS=$(EVENTS) FAULT_OVERLAP=30 FAULT_HOUR_EVENTS=10000 $(BIN)/python -m pytest -s \
		tests/faults/test_seeds.py tests/faults/test_outages.py tests/faults/test_hour.py tests/faults/soak_mutants.py $(ARGS)
	EXAMPLES=soak DATABASE=postgresql $(BIN)/python -m pytest tests/domain tests/mapping tests/adapters/hubspot/test_webhooks.py tests/engine

# Figures beside a naive connector on the same servers, as a table and in build/bench.json. ARGS="burst --scale 0.1": a part.
bench: setup
	$(BIN)/python -m bench $(ARGS)

lint: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

# Rewrites the two lock files (needs uv); no registry address is written into them.
lock:
	uv pip compile pyproject.toml --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-emit-find-links --no-header -q -o requirements.txt
	uv pip compile pyproject.toml --extra dev -c requirements.txt --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-emit-find-links --no-header -q -o requirements-dev.txt

clean:
	rm -rf $(VENV) build .mypy_cache .ruff_cache .pytest_cache
