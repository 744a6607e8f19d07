# Trimtab's chores. `make help` lists them.
#
# Everything lives in one virtual environment. Locks are installed with plain pip and checked by hash;
# stamp files in the environment make a second call do nothing.

PYTHON ?= python3
VENV ?= .venv
DEMO ?= demo
DEPLOY_VENV ?= build/deploy-venv
AUDIT_VENV ?= build/audit-venv
WORKERS ?= 2
UPGRADE ?=

BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet
# A lock is complete, so pip need not resolve; what it installs must match a hash.
INSTALL_LOCK := $(PIP) install --require-hashes --no-deps --requirement
INSTALL_EDITABLE := $(PIP) install --no-deps --no-build-isolation --editable .
COMPILE := $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
	--no-emit-index-url --custom-compile-command "make lock" $(UPGRADE)
# The layer's lock is for Lambda's Python alone. Left out: what the runtime brings itself, what only those clients
# of alpaca-py import that Trimtab does not use, and what only a command line does.
NOT_IN_LAYER := boto3 botocore s3transfer python-dateutil six pandas msgpack pytz sseclient-py websockets click shtab
COMPILE_LAYER := $(BIN)/uv pip compile --quiet --python-version 3.13 --python-platform x86_64-manylinux_2_28 \
	--generate-hashes --no-emit-index-url --custom-compile-command "make lock" $(UPGRADE) \
	$(foreach name,$(NOT_IN_LAYER),--no-emit-package $(name))

# Lambda's Python: the layers are compiled by it, and `sam build` looks for it on PATH. A shim of pyenv's may name
# it and not run it.
PYTHON313 ?= $(shell for found in python3.13 "$$(pyenv root 2>/dev/null)"/versions/3.13.*/bin/python3.13; do \
	"$$found" -c '' 2>/dev/null && { command -v "$$found"; break; }; done)
# A layer of dependencies is built anew when its lock or its recipe changes.
LAYER_KEY := $(shell cat layers/dependencies/requirements.txt layers/dependencies/Makefile | git hash-object --stdin)
BUILT := $(CURDIR)/build/layers
ARCHITECTURES ?= x86_64 arm64

# A region is asked for, though nothing is sent there.
SAM := SAM_CLI_TELEMETRY=0 AWS_DEFAULT_REGION=us-east-1 $(BIN)/sam

# Tests start hundreds of processes: each would compile the package anew.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help demo test check reference docs pictures licences audit dist faults processes evidence mutants deploy-check sam-local bench lock layers clean
.DELETE_ON_ERROR:

help:  ## List the targets
	@echo "Trimtab: make TARGET, where TARGET is"
	@sed -n 's/^\([a-z-]*\):.*  ## \(.*\)/  \1|\2/p' $(MAKEFILE_LIST) | awk -F '|' '{ printf "%-15s %s\n", $$1, $$2 }'
	@echo "Settings: PYTHON=$(PYTHON) VENV=$(VENV) DEMO=$(DEMO) WORKERS=$(WORKERS)"

demo: $(VENV)/demo.stamp  ## Set up, then rebalance a simulated portfolio on real prices, twice
	@mkdir -p "$(DEMO)"
	@test -e "$(DEMO)/config.json" || $(BIN)/trimtab init --config "$(DEMO)/config.json"
	@echo; echo "== First run: to the target weights"
	@$(BIN)/trimtab run --config "$(DEMO)/config.json" --no-dry-run
	@echo; echo "== Second run, same session: nothing is left to do"
	@$(BIN)/trimtab run --config "$(DEMO)/config.json" --no-dry-run
	@echo; echo "Walk on: $(BIN)/trimtab run --config $(DEMO)/config.json --no-dry-run --sessions 60"

test: check  ## Set up, then check everything: style, types, rooms, tests
	$(BIN)/pytest -n $(WORKERS) --dist worksteal

check: $(VENV)/dev.stamp  ## Set up, then check style, types and rooms, without the tests
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/mypy -p dashboard
	$(BIN)/lint-imports

faults: $(VENV)/dev.stamp  ## Play 100,000 schedules of faults and every single one (an hour and a half, resumable)
	$(BIN)/python tests/faults/campaign.py run --workers $(WORKERS)

processes: $(VENV)/dev.stamp  ## Kill, halt and break real runs at every request (an hour)
	$(BIN)/python tests/process/campaign.py

evidence: $(VENV)/dev.stamp  ## Replay a year of runs, flip bytes in every file, make 250 stormy stores anew (minutes)
	$(BIN)/python tests/evidence/year.py
	$(BIN)/python tests/faults/rebuilt.py

mutants: $(VENV)/dev.stamp  ## Change plan, risk and execute one thing at a time: a test must notice (an hour)
	$(BIN)/python tests/mutation/mutate.py

reference: $(VENV)/dev.stamp  ## Write the pages of docs/ that are made from the code
	$(BIN)/python -m tools.reference
	PYTHONPATH=tests:. $(BIN)/python -m mistakes.table

docs: $(VENV)/dev.stamp  ## Build the documentation as a site into build/site; a broken link or a page left out fails
	$(BIN)/python -m tools.reference --check
	$(BIN)/sphinx-build --quiet --fail-on-warning --keep-going --nitpicky --conf-dir docs . build/site

pictures: $(VENV)/dev.stamp  ## Take the pictures of README anew (needs Chromium)
	$(BIN)/python -m tools.pictures

licences: $(VENV)/dev.stamp  ## List the licences of what is installed with Trimtab, and name the unusual ones
	$(BIN)/python -m tools.licences

audit: $(AUDIT_VENV)/audit.stamp  ## Look for risky code, secrets and known vulnerabilities; write the bill of materials
	$(AUDIT_VENV)/bin/python tools/audit.py

dist: $(VENV)/dev.stamp  ## Build sdist and wheel, install the wheel outside of the repository, and run it
	$(BIN)/python -m tools.dist

deploy-check: $(VENV)/dev.stamp $(DEPLOY_VENV)/deploy.stamp  ## Check all of the AWS stack that can be checked without an account
	$(SAM) validate --lint
	$(SAM) validate --lint --template scale.yaml
	$(BIN)/cfn-lint template.yaml scale.yaml
	$(DEPLOY_VENV)/bin/checkov --framework cloudformation --file template.yaml scale.yaml --compact --quiet --skip-download
	PATH="$(dir $(PYTHON313)):$$PATH" $(SAM) build
	$(BIN)/pytest tests/aws tests/functions

layers: $(ARCHITECTURES:%=dependencies-%)  ## Build the Lambda layers into build/layers, for both architectures
	@for arch in $(ARCHITECTURES); do \
		rm -rf "$(BUILT)/$$arch/trimtab" && $(MAKE) --no-print-directory -C layers/trimtab build-TrimtabLayer \
			PYTHON="$(PYTHON313)" ARTIFACTS_DIR="$(BUILT)/$$arch/trimtab" || exit 1; \
		echo "build/layers/$$arch: $$(du -sm "$(BUILT)/$$arch" | cut -f 1) MB of the 250 that Lambda takes"; done

dependencies-%: $(BUILT)/%/$(LAYER_KEY)
	@:

$(BUILT)/%/$(LAYER_KEY):
	@rm -rf "$(BUILT)/$*" && mkdir -p "$(BUILT)/$*"
	@$(MAKE) --no-print-directory -C layers/dependencies build-DependenciesLayer ARCH=$* PYTHON="$(PYTHON313)" \
		ARTIFACTS_DIR="$(BUILT)/$*/dependencies"
	@touch "$@"

sam-local: $(VENV)/dev.stamp  ## Invoke the function with every event by SAM in Docker, against a sandbox exchange (root, ten minutes)
	$(BIN)/python tests/functions/sam_local.py

bench: $(VENV)/dev.stamp  ## Time backtests beside other tools', in an environment of their own (half an hour)
	$(BIN)/python benchmarks/backtest.py

lock: $(VENV)/dev.stamp  ## Lock the dependencies anew from pyproject.toml (UPGRADE=--upgrade for newer ones)
	$(COMPILE) --all-extras pyproject.toml requirements/build.in --output-file requirements/dev.txt
	$(COMPILE) --constraint requirements/dev.txt pyproject.toml --output-file requirements/core.txt
	$(COMPILE) --constraint requirements/dev.txt --extra alerts pyproject.toml \
		--output-file requirements/alerts.txt
	$(COMPILE) --constraint requirements/dev.txt --extra aws pyproject.toml --output-file requirements/aws.txt
	$(COMPILE) --constraint requirements/dev.txt --extra dashboard pyproject.toml \
		--output-file requirements/dashboard.txt
	$(COMPILE) --constraint requirements/dev.txt --extra demo pyproject.toml requirements/build.in \
		--output-file requirements/demo.txt
	$(COMPILE) --constraint requirements/dev.txt --extra docs pyproject.toml --output-file requirements/docs.txt
	$(COMPILE) --constraint requirements/dev.txt --extra optimize pyproject.toml \
		--output-file requirements/optimize.txt
	$(COMPILE) requirements/deploy.in --output-file requirements/deploy.txt
	$(COMPILE) requirements/audit.in --output-file requirements/audit.txt
	$(COMPILE_LAYER) --constraint requirements/dev.txt --extra alerts --extra aws pyproject.toml \
		--output-file layers/dependencies/requirements.txt
	$(COMPILE) --constraint requirements/dev.txt --extra serve pyproject.toml --output-file requirements/serve.txt
	$(COMPILE) benchmarks/requirements-peers.in --output-file benchmarks/requirements-peers.txt

clean:  ## Remove the environment, the demo and every cache
	rm -rf "$(VENV)" "$(DEMO)" build dist layers/trimtab/*.egg-info .aws-sam .coverage .hypothesis \
		.import_linter_cache .mypy_cache .pytest_cache .ruff_cache
	find dashboard docs functions layers tests tools benchmarks -name __pycache__ -type d -prune -exec rm -rf {} + 2>/dev/null || true

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
		echo "Trimtab needs Python 3.11 or newer; '$(PYTHON)' is $$($(PYTHON) --version 2>&1 | head -n 1)." >&2; \
		echo "Name one that is: make PYTHON=python3.12 $(MAKECMDGOALS)" >&2; exit 1; }
	@echo "Making $(VENV)"
	@$(PYTHON) -m venv "$(VENV)" || { rm -rf "$(VENV)"; \
		echo "'$(PYTHON) -m venv' failed; Debian and Ubuntu keep it in the package python3-venv." >&2; exit 1; }

$(VENV)/demo.stamp: requirements/demo.txt pyproject.toml | $(BIN)/python
	@echo "Installing what the demo needs"
	@$(INSTALL_LOCK) requirements/demo.txt
	@$(INSTALL_EDITABLE)
	@touch $@

$(VENV)/dev.stamp: requirements/dev.txt pyproject.toml | $(BIN)/python
	@echo "Installing what the checks and tests need (about a minute)"
	@$(INSTALL_LOCK) requirements/dev.txt
	@$(INSTALL_EDITABLE)
	@touch $@

# Tools whose pins agree with no other lock's have an environment of their own, beside their stamp.
define install-apart
@$(PYTHON) -m venv "$(@D)"
@"$(@D)/bin/python" -m pip --disable-pip-version-check --quiet install --require-hashes --no-deps --requirement $<
@touch $@
endef

$(DEPLOY_VENV)/deploy.stamp: requirements/deploy.txt
	@echo "Installing what checks the AWS stack (about a minute)"
	$(install-apart)

$(AUDIT_VENV)/audit.stamp: requirements/audit.txt
	@echo "Installing what audits the code and its dependencies"
	$(install-apart)
