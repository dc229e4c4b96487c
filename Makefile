# Every command a newcomer or a maintainer needs. `make demo` and `make test` work on a fresh machine that has
# Python 3.11 or later and make: they build .venv in this checkout and install what is missing into it.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
MINUTES := 30
# The tests wait more than they compute, so more of them run at once than there are processors.
SPREAD := -q -n 4 --dist worksteal
# Else each start of the program in a test would compile it anew.
unexport PYTHONDONTWRITEBYTECODE
# What has targets of its own.
APART := --ignore tests/browser --ignore tests/faults --ignore tests/samba --ignore tests/system
APART += --ignore tests/benchmarks --ignore tests/costs --ignore tests/release
QUICK := -m 'not slow'
# The tests of single modules, and of how they fit together; the others run the program.
MODULES := $(APART) --ignore tests/integration --ignore tests/packaging --ignore tests/container
PACKAGES := pkg-config libsystemd-dev gcc python3-dev python3-venv
# Debian packages are installed only where that is possible without asking for a password.
SUDO := $(shell if [ "$$(id -u)" = 0 ]; then echo env; elif sudo -n true 2>/dev/null; then echo sudo -n; fi)

# Whatever a test mounts is gone with its tests, also when they are killed.
OWN_MOUNTS := $(shell unshare --mount true 2>/dev/null && echo unshare --mount)

.PHONY: help demo check lint test-modules test test-slow test-faults test-system test-release test-browser test-alerts test-costs
.PHONY: test-oldest coverage soak bench deb release screenshots samples schema clean

help: ## show this list
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

demo: $(VENV)/run ## watch the whole thing work, on a temporary folder and a local stand-in for the API
	@$(BIN)/invoice-watcher demo

check: lint test-modules ## before a commit: formatting, lint, types, the tests of single modules; half a minute

lint: $(VENV)/dev ## formatting, lint and types
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy

test-modules: $(VENV)/dev ## run the tests of single modules, with fewer examples
	@$(OWN_MOUNTS) $(BIN)/pytest $(SPREAD) --hypothesis-profile quick $(QUICK) $(MODULES) $(ARGS)

test: $(VENV)/dev ## run the tests: single modules and the whole program, two minutes
	@$(OWN_MOUNTS) $(BIN)/pytest $(SPREAD) $(QUICK) $(APART) $(ARGS)

test-slow: $(VENV)/dev ## run the tests that have to wait, or try very much
	@$(OWN_MOUNTS) $(BIN)/pytest $(SPREAD) -m slow $(APART) $(ARGS)

test-faults: $(VENV)/dev ## inject faults into the running program, about three minutes (all of them only as root)
	@{ command -v strace && command -v faketime && command -v nft && command -v rsync; } >/dev/null || [ -z "$(SUDO)" ] || { \
		$(SUDO) apt-get update -qq && $(SUDO) apt-get install -y -qq \
		strace faketime nftables rsync openssh-client openssh-sftp-server >/dev/null; } || true
	@$(OWN_MOUNTS) $(BIN)/pytest $(SPREAD) tests/faults $(ARGS)

test-system: deb $(VENV)/dev ## boot a Debian 13 with the package and Samba, and use it, about four minutes (only as root)
	@{ command -v debootstrap && command -v systemd-nspawn && command -v ip && command -v smbd && command -v smbclient; } \
		>/dev/null || [ -z "$(SUDO)" ] || { \
		$(SUDO) apt-get update -qq && $(SUDO) apt-get install -y -qq \
		debootstrap systemd-container iproute2 samba smbclient >/dev/null; } || true
	@$(OWN_MOUNTS) $(BIN)/pytest -q -n 2 --dist loadfile tests/system tests/samba tests/packaging/test_units.py $(ARGS)

test-release: deb $(VENV)/release ## build a release twice, and use it (only as root, or on a Debian 13); a minute
	@$(BIN)/pytest -q tests/release $(ARGS)

test-browser: $(VENV)/dev ## look at the status page in a real browser, with axe-core, about a minute
	@command -v chromium >/dev/null || [ -z "$(SUDO)" ] || { \
		$(SUDO) apt-get update -qq && $(SUDO) apt-get install -y -qq --no-install-recommends \
		chromium fonts-dejavu-core >/dev/null; } || true
	@$(BIN)/pip install -q --disable-pip-version-check --no-deps 'axe-playwright-python==0.1.8'
	@$(BIN)/pytest -q -n 2 tests/browser $(ARGS)

screenshots: $(VENV)/dev ## make the README's pictures of the status page anew (needs Chromium and pngquant)
	@$(BIN)/python -m tests.browser.screenshots

test-alerts: $(VENV)/dev ## try the alert rules and the dashboard with promtool
	@command -v promtool >/dev/null || [ -z "$(SUDO)" ] || { \
		$(SUDO) apt-get update -qq && $(SUDO) apt-get install -y -qq --no-install-recommends prometheus >/dev/null \
		&& { $(SUDO) systemctl disable --now prometheus >/dev/null 2>&1 || true; }; } || true
	@$(BIN)/pytest -q tests/packaging/test_prometheus.py $(ARGS)

test-costs: $(VENV)/dev ## count system calls, instructions and allocations of a delivery (only as root); try the benchmark; three minutes
	@{ command -v strace && command -v valgrind; } >/dev/null || [ -z "$(SUDO)" ] || { \
		$(SUDO) apt-get update -qq && $(SUDO) apt-get install -y -qq strace valgrind >/dev/null; } || true
	@$(BIN)/pytest -q -n 1 tests/costs $(ARGS)
	@$(BIN)/pytest -q -n 2 tests/benchmarks $(ARGS)

soak: $(VENV)/dev ## drive the running program at random, with kills and outages, for MINUTES=30
	@$(OWN_MOUNTS) $(BIN)/python -m tests.faults.soak --minutes $(MINUTES) $(ARGS)

test-oldest: $(VENV)/oldest ## run the tests with the oldest dependencies that pyproject.toml allows (Debian 13's)
	@$(VENV)/oldest/bin/pytest $(SPREAD) $(APART) $(ARGS)

coverage: $(VENV)/dev ## which lines and branches no test reaches; a reason stands beside each that is left out
	@$(BIN)/coverage erase
	@$(OWN_MOUNTS) $(BIN)/coverage run -m pytest $(SPREAD) $(APART) $(ARGS)
	@$(BIN)/coverage combine -q
	@$(BIN)/coverage report

bench: $(VENV)/dev ## measure the daemon beside its peers, its ceilings and its targets (ARGS="--part burst" for one part)
	@{ command -v inotifywait && command -v curl && command -v strace && command -v perf; } >/dev/null \
		|| [ -z "$(SUDO)" ] || { $(SUDO) apt-get update -qq \
		&& $(SUDO) apt-get install -y -qq inotify-tools curl strace linux-perf >/dev/null; } || true
	@$(BIN)/pip install -q --disable-pip-version-check -e '.[bench]'
	@$(BIN)/python -m tests.benchmarks $(ARGS)

deb: ## build the Debian package into dist/ (not on Debian 13: as root, in a tree of it that is made once)
	@if dpkg-checkbuilddeps packaging/debian/control 2>/dev/null; then packaging/make-deb; else \
		command -v debootstrap >/dev/null || [ -z "$(SUDO)" ] || { \
		$(SUDO) apt-get update -qq && $(SUDO) apt-get install -y -qq debootstrap mandoc man-db >/dev/null; }; \
		$(SUDO) packaging/make-deb; fi

release: $(VENV)/release ## build a release into dist/: source archive, wheel, Debian package, list of parts, checksums
	@packaging/make-release

samples: ## write tests/samples anew (needs LibreOffice)
	@$(PYTHON) tests/samples/make_samples.py

schema: $(VENV)/run ## write the JSON Schema of the configuration anew
	@$(BIN)/invoice-watcher check --schema > invoice_watcher/config.schema.json

clean: ## remove what these commands built
	rm -rf $(VENV) build dist *.egg-info .mypy_cache .pytest_cache .ruff_cache .hypothesis .coverage*

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
		|| { echo "invoice-watcher needs Python 3.11 or later; try: make PYTHON=python3.12 $(MAKECMDGOALS)"; exit 1; }
	@$(PYTHON) -m venv $(VENV) 2>/dev/null || { \
		[ -n "$(SUDO)" ] && $(SUDO) apt-get update -qq && $(SUDO) apt-get install -y -qq python3-venv >/dev/null \
		&& rm -rf $(VENV) && $(PYTHON) -m venv $(VENV); } || { \
		echo "This Python has no venv module; as root: apt-get install python3-venv"; exit 1; }

# What a user needs. The journal (systemd-python) is compiled here; without its headers all else still runs.
$(VENV)/run: pyproject.toml | $(VENV)/bin/python
	@$(BIN)/pip install -q --disable-pip-version-check -e '.[sandbox]'
	@touch $@

$(VENV)/dev: pyproject.toml $(VENV)/run
	@$(BIN)/pip install -q --disable-pip-version-check -e '.[sandbox,metrics,notify,dev]'
	@$(BIN)/python -c 'import systemd' 2>/dev/null || $(MAKE) -s systemd
	@touch $@

$(VENV)/oldest: pyproject.toml | $(VENV)/bin/python
	@$(BIN)/python -m venv $@
	@sed -n 's/^ *"\([A-Za-z0-9_-]*\)>=\([0-9.]*\)",.*/\1==\2/p' pyproject.toml > $@/oldest.txt
	@$@/bin/pip install -q --disable-pip-version-check -c $@/oldest.txt -e '.[sandbox,metrics,notify,dev]'
	@touch $@

$(VENV)/release: pyproject.toml $(VENV)/dev
	@$(BIN)/pip install -q --disable-pip-version-check -e '.[release]'
	@touch $@

.PHONY: systemd
systemd:
	@pkg-config --exists libsystemd 2>/dev/null || [ -z "$(SUDO)" ] || { \
		$(SUDO) apt-get update -qq && $(SUDO) apt-get install -y -qq $(PACKAGES) >/dev/null; } || true
	@$(BIN)/pip install -q --disable-pip-version-check 'systemd-python>=235' >/dev/null 2>&1 \
		|| echo "Without systemd-python (it needs libsystemd-dev to build); the tests of the journal are skipped."
