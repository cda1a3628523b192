# `make up` runs the system, `make test` tests it. Both set everything up first.
# `make help` lists the rest.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
CHECKOV := .venv-checkov
CDK := .venv-cdk
PACKAGES := libs/platform_sdk libs/aws_simulator libs/local_aws services/orders services/users services/inventory
DOCKERFILES := $(wildcard services/*/Dockerfile)
VERSION ?= dev
# ENVIRONMENT/SERVICE for each service in each environment on AWS: the stacks that checkov reads, in one folder with the
# shared templates: of two folders, it reads only the first.
ON_AWS := $(filter-out local,$(patsubst deploy/environments/%.toml,%,$(wildcard deploy/environments/*.toml)))
STACKS := $(foreach environment,$(ON_AWS),$(patsubst services/%/platform.toml,$(environment)/%,$(wildcard services/*/platform.toml)))
SOURCES := libs services tests benchmarks deploy
# Set, it would make every process of a test run compile everything anew.
export PYTHONDONTWRITEBYTECODE :=

.DEFAULT_GOAL := help
.PHONY: help setup up down reset test histories check format bench lock images clean

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  make %-9s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(STAMP) ## Create the environment in .venv (done by every other command when needed)

# Only a complete environment has the stamp, so an interrupted set-up starts again.
$(STAMP): requirements/development.txt $(PACKAGES:%=%/pyproject.toml)
	@PYTHON="$(PYTHON)" requirements/install.sh $(VENV) $(PACKAGES)

up: $(STAMP) ## Run the whole system; Ctrl-C stops it (DETACH=1: return once all is healthy)
	@$(BIN)/platform up $(if $(DETACH),--detach)

down: $(STAMP) ## Stop the system; its data stays
	@$(BIN)/platform down

reset: $(STAMP) ## Stop the system and empty its data
	@$(BIN)/platform reset --yes

test: $(STAMP) ## Run all tests (T=path or PYTEST_ARGS="-k name" for some)
	@$(BIN)/python -m pytest $(T) $(if $(findstring .py,$(T)),,--numprocesses=2) $(PYTEST_ARGS)

# A fixed hash seed: the order of a set must not change a history.
histories: $(STAMP) ## Run random histories of releases and faults (N=steps, SEED=first; or REPLAY="…", docs/howto/histories.md)
	@PYTHONHASHSEED=0 $(BIN)/python -m tests.histories.run --steps $(or $(N),0) --seed $(or $(SEED),1) $(if $(REPLAY),--replay '$(REPLAY)')

# Separate environments: checkov pins an older boto3, and only `make bench B=cdk` needs the CDK.
.venv-%/.installed: requirements/%.txt
	@echo "make: installing $* (about a minute the first time)" >&2; $(PYTHON) -m venv $(@D)
	@$(@D)/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r $< && touch $@

check: $(STAMP) $(CHECKOV)/.installed ## Lint, format, types, import contracts, platform.toml, templates, Dockerfiles
	@echo "check: ruff"; $(BIN)/ruff check $(SOURCES) && $(BIN)/ruff format --check --quiet $(SOURCES)
	@echo "check: mypy --strict"; $(BIN)/mypy $(SOURCES)
	@echo "check: import-linter"; $(BIN)/lint-imports
	@echo "check: platform.toml"; $(BIN)/platform check
	@echo "check: checkov"; stacks=$$(mktemp -d) && trap 'rm -r "$$stacks"' EXIT && for pair in $(STACKS); do \
		$(BIN)/platform render $${pair#*/} --env $${pair%/*} --document stack > "$$stacks/$${pair%/*}-$${pair#*/}.yaml" || exit 1; \
	done && cp deploy/cloudformation/*.yaml "$$stacks" && $(CHECKOV)/bin/checkov --directory "$$stacks" --framework cloudformation --quiet --compact --skip-download
	@echo "check: hadolint"; $(BIN)/hadolint $(DOCKERFILES) benchmarks/*.Dockerfile deploy/*/Dockerfile

format: $(STAMP) ## Format the code
	@$(BIN)/ruff check --fix --quiet $(SOURCES); $(BIN)/ruff format $(SOURCES)

bench: $(STAMP) ## Measure, and print a table (B=name for one)
	@$(BIN)/python -m benchmarks $(B)

lock: $(STAMP) ## Compile requirements/*.in to hashed locks
	@requirements/lock.sh $(BIN)

images: $(DOCKERFILES:services/%/Dockerfile=image-%) ## Build the services' images with Docker, as orders:dev and so on (VERSION=tag)

image-%: services/%/Dockerfile
	@DOCKER_BUILDKIT=1 docker build --file $< --tag $*:$(VERSION) --build-arg VERSION=$(VERSION) \
		--build-arg REVISION=$$(git rev-parse HEAD 2>/dev/null || echo unknown) $(BUILD_ARGS) .

clean: ## Remove .venv and caches (the system's data stays)
	@rm -rf $(VENV) $(CHECKOV) $(CDK) .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis
