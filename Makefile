# Two commands on a fresh machine: `make exercise_2_2` and `make test`.
# As root everything runs as it is; otherwise sudo is used for system packages and for building
# the node disk and the kernel, and for nothing else. Where all of these are there, none is needed.

PYTHON ?= python3
VENV := .venv
PYTEST := $(VENV)/bin/pytest
SUDO := $(if $(filter 0,$(shell id -u)),,$(shell command -v sudo))
# The user's own cache, also while root builds for him.
CACHE := $(or $(SWARMLAB_CACHE),$(or $(XDG_CACHE_HOME),$(HOME)/.cache)/swarmlab)
# The embedded cluster proves everything, whatever this machine has; PROVIDER=auto may be quicker.
PROVIDER ?= uml
# How often `make soak` runs each exercise at each speed, and which: SOAKED="2_2 2_6".
ROUNDS ?= 10
SOAKED ?=
EXERCISES := exercise_2_1 exercise_2_2 exercise_2_3 exercise_2_4 exercise_2_5 exercise_2_6 exercise_2_7 exercise_2_8 exercise_2_9 exercise_2_10

# What takes all of two cores: nothing is beside it.
ALONE := tests/exercises/exercise_2_10

# Drills of many minutes, which `make lab` and their own targets run and `make test` does not.
LONG := tests/exercises/exercise_2_8 $(ALONE)

# A quarter of an hour: its own target alone runs it.
MONITORING := tests/exercises/monitoring

# Drills that provoke what is known of Swarm itself (docs/findings.md), and how often.
FINDINGS := tests/findings
FINDING_DRILLS := finding_two_identities finding_ill_task_runs finding_lost_way finding_late_sync
REPETITIONS ?= 10
KNOWN_BAD ?=
# A test in which exactly such a finding was seen is repeated once, on a new cluster; both are shown.
REPEAT := --reruns=1 --only-rerun='^FindingSeen:'

# Debian's and Ubuntu's names; `swarmlab doctor` tells what each is for.
PACKAGES := ca-certificates debian-archive-keyring e2fsprogs iproute2 kmod mmdebstrap mount \
	openssh-client python3-venv util-linux

# For tests on hosts with other processors: they are made with a compiler.
TEST_PACKAGES := gcc libc6-dev
# For visits in exercise 2.10: a package of 80 MB, and its libraries. Where it is a snap alone, nobody visits.
BROWSER := chromium
# For a test of the Vagrantfile: 53 packages, 16 MB to download, about ten seconds. A distribution
# without Vagrant goes without that test.
VAGRANT := vagrant
SMOKE_PACKAGES := $(VAGRANT) dnsmasq-base iptables libvirt-clients libvirt-daemon-system \
	mmdebstrap qemu-system-x86 qemu-utils vagrant-libvirt

.DEFAULT_GOAL := help
.PHONY: help setup packages test-packages browser disk kernel engine $(EXERCISES) lab test test-images test-providers wheel check fuzz neighbours no-harm soak \
	mark mark-inventory mark-reference mark-stranger reference known-bad known-bad-drills known-bad-table architecture vagrant-smoke monitoring \
	$(FINDING_DRILLS)

help:
	@echo "make exercise_2_2   the leader is lost, the swarm survives: set-up, run, report (also $(filter-out exercise_2_2,$(EXERCISES)))"
	@echo "make lab            every exercise that is proven, on as many clusters side by side as fit"
	@echo "make monitoring     the monitoring plan: each alert is provoked, seen to fire and to be over"
	@echo "make soak           every exercise ROUNDS=10 times at three speeds of the machine: half a day"
	@echo "make test           set-up, checks and every test but the long drills ($(notdir $(LONG) $(MONITORING))), on the embedded cluster"
	@echo "make wheel          the package as pip has it: built, installed elsewhere, exercise 2.3 run from it"
	@echo "make check          lint, types, unit and plugin tests: no cluster"
	@echo "make $(FINDING_DRILLS)   what is known of Swarm: how often of REPETITIONS=10"
	@echo "make fuzz           the fuzzers of make check, with 3,000 examples each: an hour of processor time"
	@echo "make neighbours     the plugin's tests beside other plugins, with other releases of pytest and Python"
	@echo "make no-harm        each exercise on somebody's own cluster, also killed in its middle: is it what it was?"
	@echo "make mark           hostile programs on a real machine, and a cluster that is marked as it is"
	@echo "make reference known-bad known-bad-drills known-bad-table   the grader is graded: the reference's copies, surveys of known mistakes, their table"
	@echo "make mark-reference the reference solution on a cluster of its own: surveyed, drilled, marked: twenty minutes"
	@echo "make mark-inventory a cluster of another process with the reference on it, drilled over SSH: 17 minutes"
	@echo "make mark-stranger  the lab's text, typed word for word on somebody's machines, and marked: six minutes"
	@echo "make vagrant-smoke  two machines of the Vagrantfile, for real, on computed processors: ten minutes"
	@echo "make kernel         the kernel with which machines run twice as fast: once, eight minutes; lab and test do it"
	@echo "make setup          system packages, $(VENV), node disk: what all the others begin with"

setup: packages $(VENV)/.ready disk

packages:
	@dpkg-query --show $(PACKAGES) >/dev/null 2>&1 || { \
		if [ "$$(id -u)" != 0 ] && [ -z "$(SUDO)" ]; then \
			echo "System packages are missing, and there is no sudo here: as root, run" \
				"apt-get install --no-install-recommends $(PACKAGES)" >&2; exit 1; \
		fi; \
		echo "Installing system packages$(if $(SUDO), (sudo is asked for once: for these and to build the node disk)): $(PACKAGES)"; \
		$(SUDO) apt-get update -q && \
		$(SUDO) env DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends $(PACKAGES); }

test-packages: packages
	@for wanted in $(TEST_PACKAGES) $(VAGRANT); do \
		dpkg-query --show $$wanted >/dev/null 2>&1 || { \
			$(SUDO) apt-get update -q && \
			$(SUDO) env DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends $$wanted; } || \
			echo "No $$wanted here: its tests are skipped."; \
	done

browser: packages
	@dpkg-query --show $(BROWSER) >/dev/null 2>&1 || { \
		$(SUDO) apt-get update -q && \
		apt-cache --quiet=2 show $(BROWSER) >/dev/null 2>&1 && \
		! apt-cache depends $(BROWSER) | grep -qw snapd && \
		$(SUDO) env DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends $(BROWSER); } || \
		echo "No $(BROWSER) here: nobody visits the shop of exercise 2.10 in a browser."

# A stamp, so that an interrupted installation is done again.
$(VENV)/.ready: pyproject.toml | packages
	$(PYTHON) -m venv $(VENV)
	$(VENV)/bin/pip install --quiet --editable '.[dev]'
	@touch $@

disk: $(VENV)/.ready
	@mkdir -p "$(CACHE)"
	@$(SUDO) $(CURDIR)/$(VENV)/bin/swarmlab --cache "$(CACHE)" disk

kernel: $(VENV)/.ready
	@mkdir -p "$(CACHE)"
	@$(SUDO) $(CURDIR)/$(VENV)/bin/swarmlab --cache "$(CACHE)" kernel

# Only the tests of containers as nodes need one; they start it themselves where none runs.
engine:
	@{ command -v dockerd && command -v docker; } >/dev/null || { \
		$(SUDO) apt-get update -q && \
		$(SUDO) env DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends docker.io \
			$$(apt-cache --quiet=2 show docker-cli >/dev/null 2>&1 && echo docker-cli); }

exercise_2_10: browser

$(EXERCISES): setup
	$(PYTEST) tests/exercises/$@ --swarmlab-provider=$(PROVIDER)

lab: setup kernel browser
	@failed=; \
	$(PYTEST) -n auto tests/exercises $(ALONE:%=--ignore=%) $(MONITORING:%=--ignore=%) --swarmlab-provider=$(PROVIDER) || failed=1; \
	$(PYTEST) $(ALONE) --swarmlab-provider=$(PROVIDER) || failed=1; \
	test -z "$$failed"

monitoring: setup kernel
	$(PYTEST) $(MONITORING) --swarmlab-provider=$(PROVIDER)

soak: setup kernel
	$(VENV)/bin/python -m tests.soak $(ROUNDS) $(SOAKED)

test: setup kernel test-packages engine check wheel
	$(MAKE) --no-print-directory --jobs=2 --output-sync=line test-images test-providers
	$(PYTEST) -n auto tests/exercises $(LONG:%=--ignore=%) $(MONITORING:%=--ignore=%) $(REPEAT) --swarmlab-provider=$(PROVIDER)

# Of `make test`, beside each other: nothing of them is measured, and one processor is enough for each.
test-images:
	$(PYTEST) tests/hosts tests/images --swarmlab-provider=$(PROVIDER)

test-providers:
	$(PYTEST) tests/providers -m "not long" --swarmlab-provider=$(PROVIDER)

$(FINDING_DRILLS): finding_%: setup kernel
	$(PYTEST) $(FINDINGS)/test_$*.py --repetitions=$(REPETITIONS) --swarmlab-provider=$(PROVIDER)

# What somebody has without a clone: every exercise is imported from the wheel, and one is run,
# on Debian's kernel, which the others don't use.
wheel: setup
	@set -e; away=$$(mktemp -d); trap 'rm -rf "$$away"' EXIT; \
	$(VENV)/bin/python -m build --no-isolation --outdir "$$away/dist" .; \
	$(PYTHON) -m venv "$$away/venv"; \
	"$$away/venv/bin/pip" install --quiet --no-compile "$$away"/dist/*.whl; \
	cd "$$away"; \
	venv/bin/swarmlab --cache "$(CACHE)" lab -- --collect-only --quiet; \
	venv/bin/swarmlab --cache "$(CACHE)" lab 2.3 -- --swarmlab-kernel=debian \
		--swarmlab-reports="$(CURDIR)/reports"

no-harm: setup kernel
	$(PYTEST) tests/providers/test_no_harm.py tests/providers/test_no_harm_exercises.py

mark: setup kernel
	$(PYTEST) tests/submitted tests/providers/test_marking.py --swarmlab-provider=uml

# A cluster of another process with the reference on it, drilled over SSH: 17 minutes.
mark-inventory: setup kernel
	$(PYTEST) tests/providers/test_marking_drilled.py --swarmlab-provider=uml

# The Vagrantfile's machines of another process, on which the lab's text was typed word for word.
mark-stranger: setup kernel
	$(PYTEST) tests/providers/test_marking_stranger.py --swarmlab-provider=uml

# Nothing of it may be lost; what the machine was too busy to show is ungraded, which ends with 6.
mark-reference: setup kernel
	$(VENV)/bin/swarmlab --cache "$(CACHE)" mark tests/marking/reference || [ $$? = 6 ]

# What the tests of the shop's service in Node.js need; where it can't be had, they are left out.
PRODUCTS := stacks/ecommerce/products
$(PRODUCTS)/node_modules/.ready: $(PRODUCTS)/package-lock.json
	@{ command -v npm >/dev/null && npm ci --prefix $(PRODUCTS) --ignore-scripts --no-audit --no-fund --silent && touch $@; } || \
		echo "No npm here, or no registry for it: the tests of $(PRODUCTS) are left out."

# The grader is graded (docs/known-bad.md): what the reference submission copies of this repository;
# surveys of a real cluster with the reference and with KNOWN_BAD="two-managers …" (those that are
# missing, as many as fit into a quarter of an hour); the table of what each solution loses.
reference: $(VENV)/.ready
	$(VENV)/bin/python -m tests.marking.assemble

known-bad: setup kernel
	KNOWN_BAD="$(KNOWN_BAD)" $(PYTEST) tests/marking/test_recording.py --swarmlab-provider=$(PROVIDER)

# Three minutes each, on a cluster of its own: KNOWN_BAD="bad-update-pauses …" those alone.
known-bad-drills: setup kernel
	KNOWN_BAD="$(KNOWN_BAD)" $(PYTEST) tests/marking/test_drilled.py --swarmlab-provider=$(PROVIDER)

known-bad-table: $(VENV)/.ready
	$(VENV)/bin/python -m tests.marking.table

check: $(VENV)/.ready $(PRODUCTS)/node_modules/.ready
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/ruff check .
	$(VENV)/bin/lint-imports --no-cache --no-logo
	$(VENV)/bin/mypy
	$(PYTEST) -n auto tests/unit
	$(PYTEST) -n auto tests/plugin

fuzz: $(VENV)/.ready
	$(PYTEST) -n auto tests/unit -m hypothesis --hypothesis-profile=long --hypothesis-show-statistics

neighbours: packages $(VENV)/.ready
	$(SUDO) $(VENV)/bin/python -m tests.neighbours

architecture: $(VENV)/.ready
	$(VENV)/bin/python docs/draw_architecture.py
	$(VENV)/bin/python docs/describe_events.py

vagrant-smoke: $(VENV)/.ready
	@dpkg-query --show $(SMOKE_PACKAGES) >/dev/null 2>&1 || { \
		$(SUDO) apt-get update -q && \
		$(SUDO) env DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends $(SMOKE_PACKAGES); }
	$(SUDO) $(VENV)/bin/python -m tests.vagrant.smoke
