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

# With every CRM (or CRM=zendesk) real processes are killed at named points and at random moments while people act, once
# for each of SEEDS; then for MINUTES more with new seeds. What make test tries briefly is tried at length; the engine on
# PostgreSQL and on a thousand drawn examples. All of it is run, whatever fails; the last line is the verdict.
CRM ?= hubspot,salesforce,zendesk,capsule,example
SEEDS ?= 11
EVENTS ?= 600
MINUTES ?= 0
SOAK := FAULT_SEEDS=$(SEEDS) FAULT_CRMS=$(CRM) FAULT_EVENTS=$(EVENTS) FAULT_MINUTES=$(MINUTES)
soak: setup
	@failed=0; \
	$(SOAK) $(BIN)/python -m pytest -n 2 --dist load -rP tests/faults/test_seeds.py $(ARGS) || failed=1; \
	$(SOAK) $(BIN)/python -m pytest -n 2 --dist loadfile tests/faults tests/faults/soak_mutants.py \
		--ignore tests/faults/test_seeds.py $(ARGS) || failed=1; \
	EXAMPLES=soak DATABASE=postgresql $(BIN)/python -m pytest -n 2 --dist loadfile tests/domain tests/mapping \
		tests/adapters/hubspot/test_webhooks.py tests/engine || failed=1; \
	if [ $$failed = 0 ]; then echo "soak: nothing lost, nothing doubled"; else echo "soak: FAILED, see above"; exit 1; fi

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
