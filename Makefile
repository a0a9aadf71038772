# sudo make demo: the example fleet on this machine; sudo make test: every test. Both install what they need.
MAKEFLAGS += --no-print-directory
PYTHON = .venv/bin/python
TESTS = tests

.PHONY: help setup install demo demo-down test test-all test-quick lint bench docs man clean

help:
	@echo "sudo make demo        build, boot and apply the example fleet in a lab on this machine"
	@echo "sudo make demo-down   stop it and remove what it left"
	@echo "sudo make test        the tests, also those that boot machines (half an hour)"
	@echo "sudo make test-all    also those that take minutes each, in full (hours)"
	@echo "     make test-quick  tests that need no root"
	@echo "     make lint        style, types, layers"
	@echo "sudo make bench       measure, and compare with what else is there"
	@echo "     make docs        write the generated parts of the manual again"
	@echo "sudo make install     put eyas on the PATH of this machine"

setup:
	@bash scripts/setup

install: man
	ln -sfn "$(CURDIR)/.venv/bin/eyas" /usr/local/bin/eyas
	install -D -m 0644 -t /usr/local/share/man/man1 build/man/eyas.1
	install -D -m 0644 -t /usr/local/share/man/man5 build/man/eyas-fleet.5

demo: setup
	@bash scripts/demo

demo-down: setup
	@.venv/bin/eyas -C examples/garuda lab down

test: setup
	@$(PYTHON) -m pytest -q -n 2 -m "not long" $(TESTS)

test-all: setup
	@EYAS_FULL=1 $(PYTHON) -m pytest -q -n 2 $(TESTS)

test-quick: setup
	@$(PYTHON) -m pytest -q -m "not lab and not build" $(TESTS)

lint: setup
	@.venv/bin/ruff check .
	@.venv/bin/ruff format --check .
	@.venv/bin/mypy
	@.venv/bin/lint-imports

bench: setup
	@bash scripts/bench

docs: setup
	@$(PYTHON) -m eyas.cli.manual docs/eyas.1.md

man: setup
	@$(PYTHON) scripts/man docs build/man

clean:
	rm -rf .venv build .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
