# Every target makes what it needs. The environment is made once, and filled with the extras that the
# target names; both happen again only when pyproject.toml or constraints.txt have changed.
#
#   make test PYTHON=python3.13 VENV=.venv-3.13    with another Python, in an environment of its own
#   make test ARGS="-k breaker"                    with further arguments for the command behind it

VENV ?= .venv
SERVERS ?= .venv-servers
PYTHON ?=
ARGS ?=
COVERAGE ?= --cov --cov-report=term
# Triton's Python backend wants numpy 1, which has no wheels for later Pythons.
SERVERS_PYTHON ?= python3.11 python3.12
REAL_SERVERS = $(SERVERS)/servers.installed $(SERVERS)/prometheus.installed
RUN = $(VENV)/bin/python -m
export NO_MKDOCS_2_WARNING = 1

TEST_TOOLS = test,otel,async,s3,emulator,cli
CHECK_TOOLS = $(TEST_TOOLS),lint,docs
BENCH_TOOLS = $(TEST_TOOLS),bench

.DEFAULT_GOAL := help
.NOTPARALLEL:
.PHONY: help demo test test-real check format docs bench bench-quick api deploy lock tools clean

help:  ## list what can be made
	@sed -n 's/^\([a-z-]*\):.*  ## \(.*\)/make \1\t\2/p' Makefile | expand -t 16

demo: $(VENV)/emulator,cli,s3.installed  ## watch 2,000 calls survive a storm, beside the plain way
	@$(RUN) adapters demo $(ARGS)

test: $(VENV)/$(TEST_TOOLS).installed  ## run the tests, and the code blocks of README and docs; no network
	@$(RUN) pytest $(COVERAGE) $(ARGS)

test-real: $(VENV)/$(TEST_TOOLS).installed $(REAL_SERVERS)  ## run the tests against real servers, on loopback
	@SERVERS=$(SERVERS) $(RUN) pytest tests_real $(ARGS)

check: $(VENV)/$(CHECK_TOOLS).installed  ## verify format, lint, types, spelling and documentation
	@$(RUN) ruff format --check .
	@$(RUN) ruff check .
	@$(RUN) mypy
	@$(RUN) pyright --pythonpath $(VENV)/bin/python
	@$(RUN) codespell_lib
	@$(RUN) mkdocs build --strict --quiet

format: $(VENV)/$(CHECK_TOOLS).installed  ## repair format and lint where a tool can
	@$(RUN) ruff check --fix-only .
	@$(RUN) ruff format .

docs: $(VENV)/$(CHECK_TOOLS).installed  ## build the documentation into site/
	@$(RUN) mkdocs build --strict --quiet
	@echo "Built: site/index.html"

bench: $(VENV)/$(BENCH_TOOLS).installed  ## measure against a bare call and against the peers; writes benchmarks/results
	@$(RUN) benchmarks $(ARGS)

bench-quick: $(VENV)/$(BENCH_TOOLS).installed  ## measure less of everything, in under two minutes; keeps nothing
	@$(RUN) benchmarks --quick $(ARGS)

api: $(VENV)/$(TEST_TOOLS).installed  ## write the public signatures to tests/api.txt
	@$(RUN) tests.api

deploy: $(VENV)/$(TEST_TOOLS).installed  ## write alert rules and dashboard from the definitions of telemetry
	@$(RUN) deploy.generator

lock: $(VENV)/python.made  ## write constraints.txt and tests_real/servers.txt anew
	@$(PIP) install uv
	@$(RUN) uv pip compile --quiet --universal --python-version 3.11 --all-extras --upgrade \
		--no-annotate --custom-compile-command "make lock" --output-file constraints.txt pyproject.toml
	@$(RUN) uv pip compile --quiet --universal --python-version 3.11 --upgrade \
		--no-annotate --custom-compile-command "make lock" --output-file tests_real/servers.txt \
		tests_real/servers.in

tools: $(VENV)/$(TEST_TOOLS).installed $(VENV)/$(CHECK_TOOLS).installed $(REAL_SERVERS)  ## install all that the tests and the checks need

clean:  ## remove everything that make has made
	@rm -rf .venv .venv-* build dist site .coverage .hypothesis .mypy_cache .pytest_cache .ruff_cache


PIP = $(RUN) pip --quiet --disable-pip-version-check --no-input

# The stem of the file's name is the list of extras that it says are installed.
$(VENV)/%.installed: pyproject.toml constraints.txt $(VENV)/python.made
	@echo "Installing the project into $(VENV) with its extras $*"
	@$(PIP) install --constraint constraints.txt --editable ".[$*]"
	@touch "$@"

# The servers that the tests of `make test-real` start, and what those need.
$(SERVERS)/servers.installed: tests_real/servers.txt
	@$(MAKE) --no-print-directory $(SERVERS)/python.made VENV=$(SERVERS) PYTHON="$(SERVERS_PYTHON)"
	@echo "Installing the servers into $(SERVERS)"
	@$(SERVERS)/bin/python -m pip --quiet --disable-pip-version-check --no-input install \
		--requirement tests_real/servers.txt
	@touch "$@"

# Prometheus and promtool, out of Debian's package: nothing is installed, no service is started.
# Where there is no such package, those on the PATH are used, and without any their tests fail.
$(SERVERS)/prometheus.installed: $(SERVERS)/servers.installed
	@if command -v prometheus >/dev/null && command -v promtool >/dev/null; then \
		echo "Using $$(command -v prometheus)"; touch "$@"; exit; \
	fi; \
	echo "Unpacking Prometheus into $(SERVERS)/prometheus"; \
	rm -rf "$(SERVERS)/prometheus" && mkdir "$(SERVERS)/prometheus" && cd "$(SERVERS)/prometheus" && \
	{ apt-get -qq download prometheus || { apt-get -qq update && apt-get -qq download prometheus; }; } && \
	dpkg -x prometheus_*.deb . && rm prometheus_*.deb && cd "$(CURDIR)" && touch "$@" || \
	echo 'There is no Prometheus: its tests fail until prometheus and promtool are on the PATH.' >&2

# Debian ships Python without ensurepip unless python3-venv is installed; any pip will do instead.
$(VENV)/python.made:
	@for python in $(or $(PYTHON),python3 python3.14 python3.13 python3.12 python3.11); do \
		"$$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && break; \
		python=; \
	done; \
	if [ -z "$$python" ]; then \
		echo 'No Python 3.11 or newer found: install one, or name one: make PYTHON=...' >&2; exit 1; \
	fi; \
	echo "Making $(VENV) with $$("$$python" --version)"; \
	if "$$python" -c 'import ensurepip, venv; ensurepip.version()' 2>/dev/null; then \
		"$$python" -m venv --clear $(VENV); \
	elif "$$python" -m pip --version >/dev/null 2>&1; then \
		"$$python" -m venv --clear --without-pip $(VENV) && \
		"$$python" -m pip --quiet --python $(VENV)/bin/python install pip; \
	else \
		echo 'This Python cannot make environments: apt install python3-venv, then again.' >&2; exit 1; \
	fi
	@touch "$@"
