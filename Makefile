# Two commands do everything: `make demo` and `make test`. Both begin with `make install`.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
DATA ?=
export PIP_DISABLE_PIP_VERSION_CHECK := 1

.PHONY: help install demo up test test-deps check lock clean

help:            ## this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | awk -F':.*## *' '{printf "  make %-10s %s\n", $$1, $$2}'

install: $(VENV)/.compiled  ## a ready .venv, every package pinned by hash, kernels compiled

$(VENV)/.installed: requirements.lock pyproject.toml
	@tools/install $(PYTHON) $(VENV)

# Once, before demo, tests and jobs would each begin with it; again when a kernel has changed.
$(VENV)/.compiled: $(VENV)/.installed $(wildcard forecasting/kernels/*.py)
	@$(BIN)/vitalcast compile && touch $@

demo: install    ## the whole cycle on generated patients (DATA=DIR replays recordings), then stops
	@$(BIN)/vitalcast demo $(if $(DATA),--data $(DATA))

up: install      ## the demo that stays: doctor's page, API and Airflow until Ctrl-C
	@$(BIN)/vitalcast up $(if $(DATA),--data $(DATA))

test: install    ## every check and test
	@if [ -n "$$CI" ] && [ "$$(id -u)" = 0 ]; then $(MAKE) --no-print-directory test-deps; fi
	@$(MAKE) --no-print-directory check
	$(BIN)/python -m pytest -n logical --maxprocesses 4 --no-loadscope-reorder $(ARGS)

check: install   ## style, types and the direction of imports
	$(BIN)/ruff check .
	$(BIN)/mypy .
	$(BIN)/lint-imports

test-deps:       ## servers that only tests need (Debian, root)
	@for pair in chromium:chromium redis-server:redis-server prometheus:promtool; do \
	  command -v $${pair#*:} >/dev/null || missing="$$missing $${pair%:*}"; done; \
	if [ -n "$$missing" ]; then apt-get update -qq && \
	  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $$missing; fi

lock: install    ## write the lock files anew (all; at run time): names, versions, hashes
	$(BIN)/uv pip compile pyproject.toml --extra dev --universal --python-version 3.11 -q \
	  --generate-hashes --no-emit-index-url --no-header --no-annotate -o requirements.lock
	$(BIN)/uv pip compile pyproject.toml --extra build --universal --python-version 3.11 -q -c requirements.lock \
	  --generate-hashes --no-emit-index-url --no-header --no-annotate -o requirements.run.lock

clean:           ## remove the virtual environment and caches
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache build *.egg-info \
	  forecasting/kernels/__pycache__
