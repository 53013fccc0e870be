.DEFAULT_GOAL := help
PYTHON ?= python3
BIN := .venv/bin
READY := .venv/.ready
GPU := build/gpu
SLOW ?= slow
CONVENTIONS ?= python -m pytest tests/test_conventions.py
PYTEST := python -m pytest -n 2 --dist loadfile --no-loadscope-reorder
# `dvc` runs its stages with whatever `python` comes first
export PATH := $(CURDIR)/$(BIN):$(PATH)

.PHONY: help setup repro mend experiments differences test slow lint lock params texts verify publish faults \
  fuzz bench gpu yardstick docs clean

help: ## Show what each target does
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/\1|\2/p' Makefile | while IFS='|' read -r target text; do \
	  printf '  make %-11s %s\n' "$$target" "$$text"; done

setup: $(READY) ## Create .venv with the exact versions of requirements.lock

$(READY): requirements.lock setup.lock pyproject.toml
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --no-deps --only-binary :all: --require-hashes -r setup.lock
	$(BIN)/python -m uv pip install --quiet --compile-bytecode --python $(BIN)/python --require-hashes -r requirements.lock
	$(BIN)/python -m uv pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation --editable .
	@touch $@

repro: setup ## Run the study: every stage that is not up to date
	@python -m stages.runner.mend
	@python -m kdprune.planning.rehearsal
	python -m dvc repro
	@echo && python -m kdprune report

mend: setup ## Mend dvc.lock and DVC's locks after a kill, where DVC calls them invalid or corrupted
	python -m stages.runner.mend

experiments: setup ## List experiments: the changed parameters, and each data set's main results
	@python -m stages.runner.experiments

differences: setup ## Compare two experiments, without the grid: make differences A=one B=other
	@python -m stages.runner.differences $(A) $(B)

test: setup ## Run the tests, but those that run whole pipelines
	$(PYTEST) -m "not slow"

slow: setup ## Run the tests that run whole pipelines, with the real DVC, git and browser
	$(PYTEST) -m "$(SLOW)"

lint: setup ## Check style, types, docstrings, and that params.yaml follows from conf/
	python -m ruff check .
	python -m ruff format --check .
	python -m mypy
	$(CONVENTIONS)

lock: ## Write requirements.lock anew from pyproject.toml, and setup.lock
	python -m uv pip compile --quiet --universal --generate-hashes --no-emit-index-url --no-annotate \
	  --python-version 3.11 --extra export --extra docs --extra dev --output-file requirements.lock pyproject.toml
	printf 'uv\nsetuptools\n' | python -m uv pip compile --quiet --universal --generate-hashes --no-emit-index-url \
	  --no-annotate --no-header --python-version 3.11 --constraints requirements.lock --output-file setup.lock -

params: setup ## Compose conf/ into params.yaml
	python conf/compose.py

texts: setup ## Write the numbers in README and documentation anew, from your results
	python docs/generate.py
	python tests/test_readme.py
	python tests/test_docs.py

verify: setup ## Check that the results follow from the tables, parameters and code, without data
	python -m stages.runner.verify

publish: setup ## Freeze this finished study under studies/NAME: make publish NAME=desk
	@python -m stages.runner.studies $(NAME)

faults: setup ## Kill and break a small study in every way; write what survived to docs/reliability.md
	python benchmarks/faults --write docs/reliability.md

fuzz: setup ## Feed broken files and parameters to every reader for a minute; all must be told in one line
	python benchmarks/fuzz --seconds 60

bench: setup ## Measure the claims about speed and memory (benchmarks/README.md)
	for name in layout training sweeps distillation evaluation startup memory dvc_overhead; do \
	  echo "== $$name"; python benchmarks/$$name.py 2>/dev/null || exit 1; done

gpu: setup ## On one GPU, within ten minutes: its tests, captured steps, a pair of the paper's
	mkdir -p $(GPU)/paper && python conf/compose.py -o $(GPU)/paper/params.yaml profile=paper 'datasets=[cifar10]' \
	  'pairs=[resnet101/resnet18]' teach.epochs=8 teach.lr=0.05 teach.precision=bf16 prune.finetune.views=1
	test -d data/cifar10 || python -m stages download cifar10
	python benchmarks/gpu $(GPU) --studies paper --out $(GPU)/out

yardstick: setup ## On one GPU: ResNet-20 trained and pruned as Renda et al. do, against their medians
	mkdir -p $(GPU)/yardstick && python conf/compose.py -o $(GPU)/yardstick/params.yaml profile=yardstick
	test -d data/cifar10 || python -m stages download cifar10
	python benchmarks/gpu $(GPU) --checks --studies yardstick --out $(GPU)/out
	python benchmarks/gpu/yardstick.py $(GPU)/yardstick

docs: setup ## Build the documentation into build/docs
	python docs/generate.py
	python -m mkdocs build --strict

clean: ## Remove the environment and unfinished work, not results
	rm -rf .venv .run
