# All commands of this repository. The stamps make a second call start at once.
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

PORT ?= 8000
DATA_DIR ?= .data
PYTEST_ARGS ?= -n 4
export PORT DATA_DIR

PYTHON := .venv/bin/python
OWN_ASSETS := $(shell find static/css static/js static/img templates portal/web portal/templatetags -type f 2>/dev/null | grep -E '\.(css|js|svg|png|ico|woff2|html|py)$$')
DATABASE_TESTS := tests/actions tests/queries tests/rules tests/web tests/wire
TOOLING := DEUTERON_TOOLING=true DATABASE_URL=sqlite:///:memory:

.PHONY: help run setup test soak bench check format lock sbom browser sandbox

help:
	@echo 'make run      set everything up and serve the product on http://127.0.0.1:$$PORT (default 8000)'
	@echo 'make test     every test, browser journeys included, on SQLite and on PostgreSQL'
	@echo 'make soak     faults with full counts, up to two hours; writes docs/faults.md'
	@echo 'make bench    speed and memory beside peers and limits; ROWS="P-V1 P-W3" for some rows'
	@echo 'make check    format, lint, types, import contracts, migrations, deploy checks, known vulnerabilities'
	@echo 'make sbom     write a CycloneDX bill of materials to .artifacts/sbom.json'
	@echo 'make format   write the code in the house style'
	@echo 'make lock     choose the newest allowed versions anew and write the lock files'

run: setup
	@exec $(PYTHON) -m portal.embedded --with-parent

setup: .venv/run.stamp .venv-aws/aws.stamp staticfiles/assets.stamp

.venv/run.stamp: requirements.lock
	@bin/venv .venv requirements.lock
	@touch $@

.venv/dev.stamp: requirements-dev.lock
	@bin/venv .venv requirements-dev.lock
	@touch $@ .venv/run.stamp

.venv-aws/aws.stamp: requirements-aws.lock
	@bin/venv .venv-aws requirements-aws.lock
	@touch $@

static/node_modules/packages.stamp: static/package-lock.json static/package.json static/.npmrc
	@bin/npm-ci
	@touch $@

tests/github/node_modules/description.stamp: tests/github/package-lock.json tests/github/package.json tests/github/unpack.py .venv/dev.stamp
	@bin/github-description
	@touch $@

tests/wire/js/node_modules/packages.stamp: tests/wire/js/package-lock.json tests/wire/js/package.json tests/wire/js/.npmrc
	@echo "set-up: the AWS SDK for JavaScript, for the tests"
	@bin/npm ci --prefix tests/wire/js --silent --no-progress
	@touch $@

staticfiles/assets.stamp: static/node_modules/packages.stamp $(OWN_ASSETS) .venv/run.stamp
	@$(TOOLING) $(PYTHON) manage.py vendor_static
	@$(TOOLING) $(PYTHON) manage.py collectstatic --noinput --clear --verbosity 0
	@touch $@

browser:
	@bin/find-chromium

sandbox:
	@bin/find-bubblewrap

test: .venv/dev.stamp .venv-aws/aws.stamp staticfiles/assets.stamp tests/github/node_modules/description.stamp tests/wire/js/node_modules/packages.stamp browser sandbox
	@CHROMIUM="$$(bin/find-chromium)" $(PYTHON) -m pytest $(PYTEST_ARGS) tests
	@echo 'Again on PostgreSQL: the tests that use the database'
	@$(PYTHON) -m tests.postgres $(PYTHON) -m pytest $(PYTEST_ARGS) $(DATABASE_TESTS)

soak: .venv/dev.stamp .venv-aws/aws.stamp staticfiles/assets.stamp sandbox
	@$(PYTHON) -m tests.faults.soak $(SOAK)

bench: .venv/dev.stamp staticfiles/assets.stamp
	@$(PYTHON) -m tests.bench $(ROWS)

check: .venv/dev.stamp
	@.venv/bin/ruff format --check .
	@.venv/bin/ruff check .
	@.venv/bin/mypy
	@.venv/bin/lint-imports --no-cache
	@.venv/bin/djlint --lint --quiet templates
	@.venv/bin/bandit --quiet --recursive --severity-level high --configfile pyproject.toml portal provisioning
	@$(TOOLING) $(PYTHON) manage.py makemigrations --check --dry-run
	@bin/check-deploy
	@bin/check-locks
	@bin/audit

format: .venv/dev.stamp
	@.venv/bin/ruff check --fix --exit-zero --quiet .
	@.venv/bin/ruff format .

sbom: .venv/run.stamp
	@mkdir -p .artifacts
	@$(PYTHON) bin/sbom > .artifacts/sbom.json
	@echo .artifacts/sbom.json

lock:
	@bin/lock
