# One command per task. Requires git, make and Python 3.11; everything else is installed into .venv.
PYTHON ?= python3.11
HOST ?= 127.0.0.1
PORT ?= 8000
MODELS ?= models/store
MINUTES ?= 10
COUNT ?= 100000

# Overridable, so that a test can use an environment of its own.
VENV ?= .venv
BIN := $(VENV)/bin
UV := $(BIN)/uv
# Suppresses uv's output on each install; failures are still shown.
UV_QUIET ?= --quiet

.PHONY: help serve test test-fast lint format models evaluate report large-evaluation calibration uncertainty passes loadtest soak goodput hostile bench serverbench stratified inner screenshots export keras2 supported docs lock clean

help:  ## list the commands
	@grep -hE '^[a-z0-9-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

$(UV):
	@command -v $(PYTHON) >/dev/null || { echo "make: $(PYTHON) was not found; say where Python 3.11 is: make $(MAKECMDGOALS) PYTHON=/path/to/python3.11"; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check "uv==0.13.9"

# The dependencies of the server only.
$(VENV)/serve.stamp: $(UV) pyproject.toml requirements/cpu.txt
	@echo "Installing what the server needs into $(VENV) …"
	$(UV) pip install $(UV_QUIET) --python $(BIN)/python --require-hashes -r requirements/cpu.txt
	$(UV) pip install $(UV_QUIET) --python $(BIN)/python --no-deps --editable .
	@touch $@

# Everything: exporter, demo models, tests.
$(VENV)/dev.stamp: $(VENV)/serve.stamp requirements/dev.txt
	@echo "Installing the exporter and the tests into $(VENV) …"
	$(UV) pip install $(UV_QUIET) --python $(BIN)/python --require-hashes -r requirements/dev.txt
	@touch $@

serve: $(VENV)/serve.stamp  ## serve MODELS at HOST:PORT
	@$(BIN)/mcdropout serve --host "$(HOST)" --port "$(PORT)" --models "$(MODELS)"

test: $(VENV)/dev.stamp  ## run all tests
	$(BIN)/python -m pytest $(PYTEST_ARGS)

# Without TensorFlow, and without what starts servers of its own.
test-fast: $(VENV)/dev.stamp  ## run the quick tests of the server, in two minutes
	$(BIN)/python -m pytest tests/service tests/test_layer_rules.py tests/test_readme.py -m "not slow" $(PYTEST_ARGS)

lint: $(VENV)/dev.stamp  ## style, layers, types, Dockerfile, compose file, workflows
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports --no-logo
	$(BIN)/mypy
	$(BIN)/hadolint Dockerfile
	$(BIN)/check-jsonschema --builtin-schema vendor.compose-spec docker-compose.yml
	$(BIN)/check-jsonschema --builtin-schema vendor.github-workflows .github/workflows/ci.yml
	$(BIN)/check-jsonschema --builtin-schema vendor.github-issue-forms .github/ISSUE_TEMPLATE/bug.yml .github/ISSUE_TEMPLATE/feature.yml
	$(BIN)/check-jsonschema --builtin-schema vendor.github-issue-config .github/ISSUE_TEMPLATE/config.yml

format: $(VENV)/dev.stamp  ## format the code
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

models: $(VENV)/dev.stamp  ## train the demo models again and export them
	$(BIN)/python -m scripts.train_demo_models
	$(BIN)/python -m scripts.calibrate_demo_models

evaluate: $(VENV)/dev.stamp  ## evaluate the uncertainty of the demo models; draws figures
	$(BIN)/python -m scripts.evaluate_demo_models --figures docs/images

report: $(VENV)/dev.stamp  ## write the evaluation reports of the demo models to build/reports; takes a minute
	$(BIN)/python -m scripts.demo_reports --figures docs/images

large-evaluation: $(VENV)/dev.stamp  ## measure time and memory of an evaluation of 2,000 and 20,000 rows; takes ten minutes
	$(BIN)/python -m scripts.large_evaluation --figures docs/images $(ARGS)

calibration: $(VENV)/dev.stamp  ## measure what calibrations promise, on held-out rows and beyond the data; takes six minutes
	$(BIN)/python -m scripts.calibration --figures docs/images

uncertainty: $(VENV)/dev.stamp  ## numbers and figures of docs/uncertainty.md; takes two minutes
	$(BIN)/python -m scripts.uncertainty_figures --figures docs/images

passes: $(VENV)/dev.stamp  ## measure stopping rules on the demo models; takes four minutes
	$(BIN)/python -m scripts.passes $(ARGS)

loadtest: $(VENV)/dev.stamp  ## load a local server with 1 to 32 clients; takes a minute
	$(BIN)/python -m scripts.load_test $(ARGS)

soak: $(VENV)/dev.stamp  ## load a local server with 32 clients for MINUTES=10, and check its memory
	$(BIN)/python -m scripts.load_test soak --minutes $(MINUTES) $(ARGS)

hostile: $(VENV)/dev.stamp  ## send COUNT=100000 malformed requests to a local server
	$(BIN)/python -m scripts.hostile --count $(COUNT) $(ARGS)

goodput: $(VENV)/dev.stamp  ## measure answers in time at 1 to 8 times the server's capacity; takes a minute
	$(BIN)/python -m scripts.goodput --figures docs/images $(ARGS)

bench: $(VENV)/dev.stamp  ## compare with other implementations in one run; takes a quarter of an hour
	$(BIN)/python -m scripts.benchmark --figures docs/images $(ARGS)

serverbench: $(VENV)/dev.stamp  ## compare the server with a plain FastAPI app; takes five minutes
	$(BIN)/python -m scripts.server_benchmark --figures docs/images $(ARGS)

stratified: $(VENV)/dev.stamp  ## measure the cost and gain of stratified passes in one run; takes six minutes
	$(BIN)/python -m scripts.stratified --output benchmarks $(ARGS)

inner: $(VENV)/dev.stamp  ## measure the gain of inner masks in one run; takes four minutes, with ARGS=--right fifteen
	$(BIN)/python -m scripts.inner_masks --output benchmarks $(ARGS)

screenshots: $(VENV)/dev.stamp  ## draw the web page for README and docs; needs Chromium
	$(BIN)/python -m scripts.screenshots

export: $(VENV)/dev.stamp  ## export a Keras model: make export ARGS="model.keras --output DIR"
	$(BIN)/mcdropout export $(ARGS)

supported: $(VENV)/dev.stamp  ## export every kind of model and write docs/supported-models.md
	$(BIN)/python -m scripts.supported_models

docs: $(VENV)/dev.stamp  ## write docs/reference.md from the definitions of options and measures
	$(BIN)/python -m scripts.reference

# tf-keras cannot be installed together with tensorflow-cpu.
$(VENV)-keras2/stamp: $(UV) requirements/keras2.txt
	$(UV) venv --quiet --python $(BIN)/python $(VENV)-keras2
	$(UV) pip install $(UV_QUIET) --python $(VENV)-keras2/bin/python --require-hashes -r requirements/keras2.txt
	@touch $@

keras2: $(VENV)-keras2/stamp  ## convert a Keras 2 SavedModel to .h5: make keras2 ARGS="FOLDER FILE.h5"
	$(VENV)-keras2/bin/python scripts/convert_keras2.py $(ARGS)

lock: $(VENV)/dev.stamp  ## resolve the dependencies again
	$(UV) pip compile $(LOCK_FLAGS) --extra cpu --extra export --extra demo --extra dev -o requirements/dev.txt
	$(UV) pip compile $(LOCK_FLAGS) --extra cpu -c requirements/dev.txt -o requirements/cpu.txt
	$(UV) pip compile $(LOCK_FLAGS) --extra gpu -c requirements/dev.txt -o requirements/gpu.txt
	$(UV) pip compile $(LOCK_FLAGS) --extra keras2 -o requirements/keras2.txt
LOCK_FLAGS := pyproject.toml --quiet --upgrade --universal --python-version 3.11 --generate-hashes --no-header

clean:  ## remove the environment and caches
	rm -rf $(VENV) $(VENV)-keras2 .pytest_cache .mypy_cache .ruff_cache
