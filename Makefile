# `make demo` and `make test` need Python 3.11 to 3.13 and nothing else: everything is installed into .venv.

VENV := .venv
BIN := $(VENV)/bin
LOCKED := $(VENV)/.locked
READY := $(VENV)/.ready
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet
# two processes, for two cores; a file's tests stay together, and share what they train
PYTEST := $(BIN)/python -m pytest --numprocesses $(or $(JOBS),2) --dist loadfile
DEMO := runs/demo-$(shell date -u +%Y%m%dT%H%M%S)

.DEFAULT_GOAL := help
.PHONY: help setup demo test test-deep test-browser test-gallery fuzz crash lint format bench reproduce docs docs-assets lock clean

help: ## this list
	@sed -n 's/^\([a-z-]*\):[^#]*## \(.*\)/\1|\2/p' $(MAKEFILE_LIST) | awk -F'|' '{ printf "make %-12s %s\n", $$1, $$2 }'

setup: $(READY) ## make the environment in .venv

demo: $(READY) ## train a network for four minutes on MNIST, which is built in, and say where to look
	@$(BIN)/zoo train cnn mnist --minutes 4 --output $(DEMO)
	@echo
	@$(BIN)/zoo show $(DEMO)
	@echo
	@echo "Open $(DEMO)/report.html in a browser. More: $(BIN)/zoo list, $(BIN)/zoo --help"

test: $(READY) ## the tests, except the slow ones
	$(PYTEST) -m "not deep and not browser and not gallery"

test-deep: $(READY) ## the slow tests: all pairs, exports, deep networks
	@$(PYTEST) -m deep || { code=$$?; test $$code -eq 5 && echo "No test is marked deep."; }

test-gallery: $(READY) ## that each wrong plugin of the gallery fails no check before the one meant for it
	$(PYTEST) -m gallery

fuzz: $(READY) ## feed 100,000 mutated files to every reader
	$(BIN)/python -m zoo.testing.fuzz --inputs 100000

crash: $(READY) ## kill 200 training runs at random instants, resume them and compare the bits (an hour or two)
	$(BIN)/python -m zoo.testing.crash --kills 200

lint: $(READY) ## ruff and mypy
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: $(READY) ## let ruff format and mend the code
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: $(READY) ## the benchmarks of benchmarks/, one after the other
	@code=0; for script in benchmarks/*.py; do echo "== $$script"; $(BIN)/python $$script || code=1; done; exit $$code

reproduce: $(READY) ## train all published rows that take under ten minutes again, and judge (half an hour)
	@$(BIN)/zoo results reproduce --fast

docs: $(READY) ## build the site into site/, strictly
	@NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict
	@echo "Open site/index.html"

docs-assets: $(READY) ## renew what the site needs of networks and data sets, in their packages
	$(BIN)/zoo docs assets

test-browser: $(READY) ## the site and a report in a headless Chromium
	@scripts/browser-test $(BIN)/python

lock: $(READY) ## renew requirements.lock from pyproject.toml
	@$(PIP) install uv
	@scripts/lock $(BIN)/uv

clean: ## remove .venv and what tools leave behind; runs stay
	rm -rf $(VENV) build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find zoo plugins datasets tests benchmarks experiments -name __pycache__ -type d -prune -exec rm -rf {} +

$(LOCKED): requirements.lock
	@python=$$(scripts/find-python) || exit 1; \
	echo "Making .venv with $$python: downloads about 700 MB the first time, and takes a few minutes ..."; \
	"$$python" -m venv --clear $(VENV)
	@$(PIP) install --requirement requirements.lock
	@touch $@

# the project itself: again when its metadata or its set of packages changes, not when its code does
$(READY): $(LOCKED) pyproject.toml plugins datasets
	@$(PIP) install --no-deps --no-build-isolation --editable .
	@touch $@
