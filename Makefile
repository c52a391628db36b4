# Every target brings its own tools: uv goes to .tools, the environment to .venv.  `make help` lists them.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

UV := .tools/bin/uv
# --no-sync: the environment is synchronised once, by the sync target.
RUN := $(UV) run --no-sync
PYTEST_ARGS ?=
# Tests run in one process more than there are cores, since many wait for a node or a server; WORKERS=0: in one.
WORKERS ?= $(shell echo $$(($$(getconf _NPROCESSORS_ONLN) + 1)))
# Heavy extras that only some tests need: EXTRAS="--extra ray" (set in CI).
EXTRAS ?=
# Compiled modules are kept: a process of the desk starts in a third of the time, and tests start many.
unexport PYTHONDONTWRITEBYTECODE
PYTHON_PATHS := crupto_nautilus actors strategies risk adapters catalog research dashboards tests

.PHONY: help sync demo test lint check coverage bench calibrate soak soak-24h paper paper-vst live format

help: ## list the targets
	@grep -hE '^[a-z0-9-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

$(UV):
	@.ci/bootstrap

sync: $(UV) ## install the environment from uv.lock
	@$(UV) sync --frozen --quiet $(EXTRAS)

demo: sync ## offline: the paper desk on the sample market, live status, report, parity with the backtest
	@$(RUN) crupto demo

test: sync ## run the tests (add PYTEST_ARGS="-k name" to choose)
	@$(RUN) pytest -n $(WORKERS) $(PYTEST_ARGS)

lint: sync ## ruff, formatting, types, import contracts, secret scan
	$(RUN) ruff check .
	$(RUN) ruff format --check .
	$(RUN) mypy
	$(RUN) lint-imports
	git ls-files -z -- ':!uv.lock' | xargs -0 $(RUN) detect-secrets-hook

coverage: sync ## run the tests with coverage and hold the floors: 90 % of risk strategies actors, 85 % overall
	@$(RUN) coverage erase
	@COVERAGE_CORE=sysmon $(RUN) pytest -n $(WORKERS) --cov --cov-report= $(PYTEST_ARGS)
	@$(RUN) coverage report --skip-covered --fail-under=85
	@$(RUN) coverage report --skip-covered --include='risk/*,strategies/*,actors/*' --fail-under=90

check: lint coverage ## everything that CI runs

format: sync ## let ruff mend what it can
	$(RUN) ruff check --fix .
	$(RUN) ruff format .

bench: sync ## benchmarks with their figures
	@$(RUN) pytest -m bench -s -p no:randomly tests/performance

# A catalog with real 1h bars adds the null of resampled real returns: make calibrate CATALOG=DIR
CATALOG ?=
calibrate: sync ## measure the gates: promotions without an edge, planted edges found (about 20 CPU minutes)
	@$(RUN) crupto research calibrate $(if $(CATALOG),--catalog $(CATALOG))

soak: sync ## long runs: a day of events, twenty restarts, a day on the fake exchange, one real hour
	@$(RUN) pytest -m 'soak and not day_long' -v -s -p no:randomly tests/soak tests/integration/bingx \
	  tests/integration/research tests/unit/research $(PYTEST_ARGS)

soak-24h: sync ## the paper desk for 24 real hours
	@$(RUN) pytest -m day_long -s -p no:randomly tests/soak

paper: sync ## the desk in a live node: replay of the sample market, then parity with the backtest
	@$(RUN) crupto catalog sample --catalog runs/sample-market
	@run=paper-$$(date -u +%Y%m%d-%H%M%S); \
	  $(RUN) crupto paper --catalog runs/sample-market --run-id $$run && \
	  $(RUN) crupto parity $$run --catalog runs/sample-market

paper-vst: sync ## the desk on a BingX VST demo account for 8 hours (needs BINGX_API_KEY and BINGX_API_SECRET)
	@$(RUN) crupto paper --feed bingx --execution vst --duration 8h

live: sync ## refused: this desk trades on paper only (crupto exits with code 4)
	@$(RUN) crupto live
