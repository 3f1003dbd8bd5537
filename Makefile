# Two commands on a fresh machine: `make exercise_2_2` and `make test`.
# As root everything runs as it is; otherwise sudo is used for system packages and for building
# the node disk, and for nothing else.

PYTHON ?= python3
VENV := .venv
PYTEST := $(VENV)/bin/pytest
SUDO := $(if $(filter 0,$(shell id -u)),,sudo)
# The user's own cache, also while root builds for him.
CACHE := $(or $(SWARMLAB_CACHE),$(or $(XDG_CACHE_HOME),$(HOME)/.cache)/swarmlab)
EXERCISES := exercise_2_1 exercise_2_2 exercise_2_3

# Debian's and Ubuntu's names; `swarmlab doctor` tells what each is for.
PACKAGES := ca-certificates debian-archive-keyring e2fsprogs iproute2 kmod mmdebstrap mount \
	openssh-client python3-venv util-linux

.DEFAULT_GOAL := help
.PHONY: help setup packages disk $(EXERCISES) lab test check

help:
	@echo "make exercise_2_2   the leader is lost, the swarm survives: set-up, run, report (also $(filter-out exercise_2_2,$(EXERCISES)))"
	@echo "make lab            every exercise there is"
	@echo "make test           set-up, checks and every test, the exercises on the embedded cluster included"
	@echo "make check          lint, types, unit and plugin tests: no cluster"
	@echo "make setup          system packages, $(VENV), node disk: what all the others begin with"

setup: packages $(VENV)/.ready disk

packages:
	@dpkg-query --show $(PACKAGES) >/dev/null 2>&1 || { \
		echo "Installing system packages$(if $(SUDO), (sudo is asked for once: for these and to build the node disk)): $(PACKAGES)"; \
		$(SUDO) apt-get update -q && \
		$(SUDO) env DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends $(PACKAGES); }

# A stamp, so that an interrupted installation is done again.
$(VENV)/.ready: pyproject.toml | packages
	$(PYTHON) -m venv $(VENV)
	$(VENV)/bin/pip install --quiet --editable '.[dev]'
	@touch $@

disk: $(VENV)/.ready
	@mkdir -p "$(CACHE)"
	@$(SUDO) $(CURDIR)/$(VENV)/bin/swarmlab --cache "$(CACHE)" disk

$(EXERCISES): setup
	$(PYTEST) -m $@

lab: setup
	$(PYTEST) tests/exercises

test: setup check
	$(PYTEST) tests --ignore=tests/unit --ignore=tests/plugin

check: $(VENV)/.ready
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/ruff check .
	$(VENV)/bin/mypy
	$(PYTEST) tests/unit tests/plugin
