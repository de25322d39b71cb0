# Two commands matter: `make demo` and `make test`. Each sets up .venv by itself the first time.
#
# PYTHON=... picks another interpreter (3.11 or newer).

PYTHON ?= python3.11
BIN := .venv/bin
# Pure pip runs on any Python, so that of a neighbour can be borrowed to start ours.
NEIGHBOURS := python3 python3.14 python3.13 python3.12 python3.11 python3.10 python3.9

.PHONY: help venv check test soak demo bench bench-long clean

help:
	@echo "make demo    remove an object from a synthetic shot and measure the result"
	@echo "make test    the checks, then the tests"
	@echo "make check   ruff, mypy, import-linter, vermin"
	@echo "make soak    kill servers and workers at random, let 32 clients loose for a minute"
	@echo "make bench   the benchmarks that take minutes, into benchmarks/RESULTS.md; make bench-long: those that take hours"
	@echo "make venv    set up .venv only"
	@echo "make clean   remove .venv, caches and build/"

venv: .venv/.installed

# Debian leaves ensurepip out of python3.11, so a missing one is normal: then pip comes from any interpreter
# that has it, or from uv.
.venv/.python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	    echo "make: $(PYTHON) is not a Python 3.11 or newer; install one or name it with make PYTHON=..." >&2; exit 1; }
	@rm -rf .venv
	@$(PYTHON) -m venv .venv >/dev/null 2>&1 || { \
	    rm -rf .venv; \
	    $(PYTHON) -m venv --without-pip .venv || exit 1; \
	    site=$$($(BIN)/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))'); \
	    for other in $(PYTHON) $(NEIGHBOURS); do \
	        $$other -m pip install -q --disable-pip-version-check --target "$$site" pip >/dev/null 2>&1 && break; \
	    done; \
	    $(BIN)/python -m pip --version >/dev/null 2>&1 \
	        || uv pip install -q --python $(BIN)/python pip 2>/dev/null || { \
	        rm -rf .venv; \
	        echo "make: found no pip to set up .venv; install python3-venv, python3-pip or uv" >&2; exit 1; }; }
	@touch $@

# Dependency groups need pip 25.1, which no Python 3.11 brings.
.venv/.installed: .venv/.python pyproject.toml constraints.txt
	$(BIN)/python -m pip install -q --disable-pip-version-check -c constraints.txt --upgrade pip
	$(BIN)/python -m pip install -q --disable-pip-version-check -c constraints.txt \
	    --group check --group test -e '.[farm,otio,server,void]'
	@touch $@

check: venv
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/vermin -q -t=3.7- --violations --no-tips --no-parse-comments \
	    void_plugin/__init__.py void_plugin/errors.py void_plugin/frames.py \
	    void_plugin/request.py void_plugin/events.py void_plugin/config.py void_plugin/settings.py \
	    void_plugin/bridge.py void_plugin/childprocess.py void_plugin/endings.py void_plugin/hostanswers.py \
	    void_plugin/launch.py void_plugin/lineprotocol.py void_plugin/sidecarprocess.py void_plugin/hosts nuke resolve

test: check
	$(BIN)/pytest -n auto

soak: venv
	$(BIN)/python tests/soak.py

demo: venv
	$(BIN)/void demo --out build/demo

bench: venv
	$(BIN)/python benchmarks

bench-long: venv
	$(BIN)/python benchmarks --long

clean:
	rm -rf .venv build dist .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
