# make setup demo test soak fuzz vm deb deb-test lint bench clean; see README.md
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
OUT ?= demo-out
KILLS ?= 500
N ?= 10000
PULLS ?= 50

.PHONY: help setup setup-test demo test soak fuzz vm deb deb-test nightly lint bench clean
.DEFAULT_GOAL := help

help:
	@echo "make demo    the main job, end to end, with no hardware and no hospital (writes $(OUT)/)"
	@echo "make test    linters, types and tests; installs the peers it needs when it may"
	@echo "make soak    cuts a stick's power $(PULLS) times (in a machine in the machine; needs root), then kills the processes"
	@echo "             $(KILLS) times under load, and counts what is lost (PULLS=n, KILLS=n, SEED=n; PULLS=0: no machine)"
	@echo "make fuzz    $(N) hostile peers and callers, then $(N) lying media, read, extended and mended (N=n, SEED=n);"
	@echo "             what fails is named, and a medium kept"
	@echo "make vm      a whole Debian with the gateway in it, and what it is plugged into; one line per case (needs root)"
	@echo "make deb     the Debian package, into dist/; one for amd64 and arm64, Debian 12 and 13"
	@echo "make deb-test  installs, upgrades, removes and purges it in clean roots; one line per requirement (needs root)"
	@echo "make setup   only the virtual environment $(VENV) with the 'gateway' command"
	@echo "make lint | bench | nightly (what takes longer: deb-test, a real systemd; needs root) | clean"

setup: $(VENV)/.run
setup-test: $(VENV)/.test

$(VENV)/.run: requirements/build.txt requirements/run.txt pyproject.toml .ci/system-packages
	@.ci/system-packages run
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' || { \
	    echo "setup: $(PYTHON) is not Python 3.11 to 3.13; name one that is: make PYTHON=python3.11 $(MAKECMDGOALS)" >&2; exit 2; }
	@echo "setup: virtual environment $(VENV)"
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements/build.txt
	@$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes --no-build-isolation -r requirements/run.txt
	@$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@
	@echo "setup: done; the command is $(BIN)/gateway"

$(VENV)/.test: $(VENV)/.run requirements/test.txt
	@.ci/system-packages test
	@$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements/test.txt
	@touch $@

demo: setup
	@$(BIN)/gateway demo --out $(OUT)

lint: setup-test
	$(BIN)/ruff check gateway firmware_adapters images tests
	$(BIN)/ruff format --check gateway firmware_adapters images tests
	$(BIN)/mypy

test: setup-test
	$(BIN)/pytest

soak: setup-test
	@[ $(PULLS) = 0 ] || .ci/system-packages vm
	@[ $(PULLS) = 0 ] || $(BIN)/python -m tests.pulls --pulls $(PULLS) $(if $(SEED),--seed $(SEED))
	@$(BIN)/python -m tests.soak --kills $(KILLS) $(if $(SEED),--seed $(SEED))

fuzz: setup-test
	@$(BIN)/python -m tests.fuzz.association $(N) $(SEED)
	@$(BIN)/python -m tests.fuzz.media $(N) $(SEED)
	@PYTHONPATH=tests $(BIN)/python -m tests.fuzz.frames $(N) $(SEED)

vm: setup-test
	@.ci/system-packages vm
	@$(BIN)/python -m tests.vm

deb: setup
	@$(BIN)/python -m images.deb.build

deb-test: setup-test
	@.ci/system-packages deb
	@$(BIN)/python -m tests.package

nightly: setup-test deb-test
	@.ci/system-packages nightly
	GATEWAY_SLOW=1 CI=true $(BIN)/pytest -o timeout=3600

bench: setup-test
	$(BIN)/python -m tests.bench

clean:
	rm -rf $(VENV) $(OUT) build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
