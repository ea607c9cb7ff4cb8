# Everything a person runs. `make demo` and `make test` do their own set-up, from a fresh clone with an empty home.

PYTHON ?= python3
ARGS ?=
VENV := .venv
BIN := $(VENV)/bin
SERVICES := $(patsubst services/%/pyproject.toml,%,$(wildcard services/*/pyproject.toml))
PROJECTS := libs/driftloop $(addprefix services/,$(SERVICES))
EXTRAS := catboost lightgbm xgboost
PAGES := alerts commands http
INSTALLED := $(VENV)/.installed
PIP := $(BIN)/python -m pip --disable-pip-version-check

.DEFAULT_GOAL := help
.PHONY: help setup demo test bench docs docs-site lock wheels clean

help: ## what there is
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(INSTALLED) ## virtual environment, Kafka's jars and its start cache
	@$(BIN)/python -m driftloop.local.prefetch

# only what decides about the installation: a changed source file needs no new one
$(INSTALLED): requirements-dev.txt pyproject.toml $(addsuffix /pyproject.toml,$(PROJECTS))
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || \
		{ echo "driftloop needs Python 3.11 or newer; $(PYTHON) is $$($(PYTHON) --version 2>&1): name another with make PYTHON=..." >&2; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(PIP) install --quiet --require-hashes -r requirements-dev.txt
	$(PIP) install --quiet --no-deps --no-build-isolation $(addprefix -e ,$(PROJECTS))
	@touch $@

demo: setup ## the whole loop on a year of flights (ARGS="--fraction 0.1 --keep")
	$(BIN)/driftloop demo $(ARGS)

# Most tests wait for real servers rather than compute: three workers, each with a broker and a store of its own, kept two cores busy for
# two thirds of the time.
WORKERS ?= 4

# where the environment forbids to write compiled modules, each of some hundred processes would compile the library anew
test: export PYTHONDONTWRITEBYTECODE =

test: setup ## style, types, import contracts, tests (ARGS="-k name" goes to pytest)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python -m pytest -n $(WORKERS) --dist loadfile --no-loadscope-reorder $(ARGS)

bench: setup ## measure; reports, asserts nothing
	$(BIN)/python -m bench $(ARGS)

docs: setup ## generate again what is generated from the tables in the code
	@mkdir -p build
	$(BIN)/python -m driftloop.documents.reference > docs/reference.md
	$(BIN)/python -m driftloop.documents.asyncapi > docs/asyncapi.json
	$(BIN)/python -m driftloop.documents.prometheus > infra/prometheus/prometheus.yml
	for page in $(PAGES); do $(BIN)/python -m docs.generators.$$page > build/page && cp build/page docs/$$page.md || exit 1; done

docs-site: setup ## a site of the pages in docs, into build/site; a link that leads nowhere is an error
	$(BIN)/sphinx-build -W --keep-going -n -q -c docs -b html . build/site
	@echo "open build/site/index.html"

lock: ## resolve requirements*.in again (needs uv)
	@command -v uv >/dev/null || { echo "make lock needs uv on the PATH" >&2; exit 1; }
	uv pip compile requirements.in --universal --generate-hashes --no-header --python-version 3.11 -o requirements.txt
	uv pip compile requirements-dev.in --universal --generate-hashes --no-header --python-version 3.11 -c requirements.txt -o requirements-dev.txt
	for s in $(SERVICES); do uv pip compile services/$$s/pyproject.toml --no-emit-package driftloop --universal --generate-hashes --no-header --no-annotate --python-version 3.11 -c requirements.txt -o services/$$s/requirements.txt || exit 1; done
	for e in $(EXTRAS); do uv pip compile libs/driftloop/pyproject.toml --extra $$e --universal --generate-hashes --no-header --no-annotate --python-version 3.11 -c requirements-dev.txt -o infra/extras/$$e.txt || exit 1; done
	uv pip compile infra/init/requirements.in --universal --generate-hashes --no-header --no-annotate --python-version 3.11 -c requirements.txt -o infra/init/requirements.txt
	uv pip compile libs/driftloop/pyproject.toml --extra rows --extra avro --extra protobuf --extra cli --extra kafka --extra s3 --extra lake --extra join --extra scoring --universal --generate-hashes --no-header --no-annotate --python-version 3.11 -c requirements.txt -o infra/cli/requirements.txt

wheels: setup ## build the library and each service as wheels, into dist/
	$(PIP) wheel --quiet --no-deps --no-build-isolation --wheel-dir dist $(addprefix ./,$(PROJECTS))

clean: ## end this folder's stacks and remove all that the other targets made
	@if [ -x $(BIN)/driftloop ]; then for home in .driftloop .driftloop/demo; do DRIFTLOOP_HOME=$$home $(BIN)/driftloop down || true; done; fi
	rm -rf $(VENV) build dist .driftloop .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .hypothesis
