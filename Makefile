# make demo and make test need Python 3.10, 3.11 or 3.12 and nothing else installed; with node and npm,
# make test also asks the JSON engines of editors.

VENV := .venv
BIN := $(VENV)/bin
ENGINES := tests/editor/node_modules
EXTENSION := editors/vscode/node_modules
TORCH ?= torch==2.13.0
SUPPORTED := import sys; sys.exit(not (3, 10) <= sys.version_info < (3, 13))
PYTHON ?= $(shell for p in python3 python3.11 python3.12 python3.10; do \
	$$p -c '$(SUPPORTED)' 2>/dev/null && echo $$p && break; done)

.PHONY: demo studio studio-bundle test test-fast nightly core lint format bench fuzz schema pages docs dist lock clean

demo: $(VENV)/.installed
	$(BIN)/archspec validate specs/isynet_n1.json
	$(BIN)/archspec stats specs/isynet_n1.json --by block
	mkdir -p build
	$(BIN)/archspec plot specs/isynet_n1.json -o build/isynet_n1.svg
	$(BIN)/archspec plot specs/isynet_n1.json -o build/isynet_n1.png
	rm -rf build/digits build/run build/search
	$(BIN)/archspec data digits build/digits
	$(BIN)/archspec train tiny/isynet --recipe tiny --data build/digits --out build/run
	$(BIN)/archspec predict build/run/spec.json --weights build/run/best.safetensors \
		build/digits/val/3/0003.png build/digits/val/8/*1.png
	$(BIN)/archspec export build/run/spec.json --weights build/run/best.safetensors -o build/tiny.onnx
	$(BIN)/archspec export build/run/spec.json --weights build/run/best.safetensors \
		--dynamic-batch 1,16 -o build/tiny.mindir
	$(BIN)/archspec eval build/run/spec.json --weights build/run/best.safetensors --data build/digits
	$(BIN)/archspec infer build/tiny.onnx --data build/digits
	$(BIN)/archspec infer build/tiny.mindir --data build/digits
	$(BIN)/archspec search spaces/tiny --objective max:accuracy --objective min:macs --recipe tiny \
		--data build/digits --epochs 2 --seeds 1 --budget 30s --workers 2 --out build/search

# The page on which specs are edited, in the browser.
studio: $(VENV)/.installed
	$(BIN)/archspec studio

# archspec/studio/static, from the TypeScript beside it; needs node and npm.
studio-bundle:
	cd archspec/studio/web && npm ci --no-audit --no-fund && npm run --silent build

# With both frameworks; TORCH names another PyTorch than the one that is tested against.
test: $(VENV)/.torch $(ENGINES)/.installed $(EXTENSION)/.installed
	$(BIN)/python -m pytest -n auto

# Without a framework, processes and what is marked as thorough: under two minutes.
test-fast: $(VENV)/.installed
	$(BIN)/python -m pytest -n auto --fast

# All of it, with what is marked slow (.venv/bin/pytest -m slow --collect-only lists that): over an hour.
nightly: $(VENV)/.torch $(ENGINES)/.installed $(EXTENSION)/.installed
	$(BIN)/python -m pytest -n auto --all

# One part: make test-language, test-compiler, test-training, test-search, test-deploy, test-faces.
test-%: $(VENV)/.torch $(ENGINES)/.installed $(EXTENSION)/.installed
	$(BIN)/python -m pytest -n auto tests/$*

# Without MindSpore, on the newest Python that is here.
core:
	.ci/core

lint: $(VENV)/.torch
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/pyright

format: $(VENV)/.installed
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: $(VENV)/.torch
	for bench in tests/benchmarks/bench*.py; do PYTHONPATH=. $(BIN)/python $$bench; done

# Random damage, with a seed: SEED=3 make fuzz. Takes an hour on two cores.
fuzz: $(VENV)/.installed
	$(BIN)/python tests/fuzz.py --seed $(or $(SEED),0)

schema: $(VENV)/.installed
	$(BIN)/archspec schema -o archspec/schema.json

# docs/ops.md, blocks.md and commands.md, from the classes of ops, templates and parsers.
pages: $(VENV)/.installed
	$(BIN)/archspec explain --page ops > docs/ops.md
	$(BIN)/archspec explain --page blocks > docs/blocks.md
	$(BIN)/archspec explain --page commands > docs/commands.md

# The site, into build/site; its search works without a server. A link that leads nowhere is an error.
docs: $(VENV)/.installed
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet

# Wheel and sdist, tried in environments of their own; FRAMEWORKS=1 make dist tries all extras.
dist: $(VENV)/.installed
	.ci/dist

# Needs uv (pip install uv); everything else but PyTorch installs from the lock alone.
lock:
	uv pip compile pyproject.toml --extra onnx --extra mindspore --extra calibrate \
		--extra search --group dev --group build --universal \
		--generate-hashes --python-version 3.10 --no-emit-index-url --no-header \
		-o requirements.lock

$(VENV)/.installed: pyproject.toml requirements.lock
	@test -n "$(PYTHON)" || { echo "archspec needs Python 3.10, 3.11 or 3.12; none is on PATH" \
		"(make PYTHON=/path/to/python names one)"; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	touch $@

# Not in the lock: a demo takes one framework, and its wheels are of a gigabyte and more.
$(VENV)/.torch: $(VENV)/.installed
	$(BIN)/python -m pip install --quiet --disable-pip-version-check "$(TORCH)" "numpy<2"
	touch $@

# The JSON engines of editors, which tests/faces/test_editor.py asks; without node it is skipped.
$(ENGINES)/.installed: tests/editor/package.json tests/editor/package-lock.json
	@if command -v npm > /dev/null; then \
		(cd tests/editor && npm ci --no-audit --no-fund) && touch $@; \
	else echo "npm is not on PATH: tests/faces/test_editor.py will be skipped"; fi

# What packs the extension of VS Code, which tests/faces/test_vscode.py looks into.
$(EXTENSION)/.installed: editors/vscode/package.json editors/vscode/package-lock.json
	@if command -v npm > /dev/null; then \
		(cd editors/vscode && npm ci --no-audit --no-fund) && touch $@; \
	else echo "npm is not on PATH: tests/faces/test_vscode.py will be skipped"; fi

clean:
	rm -rf $(VENV) $(ENGINES) $(EXTENSION) build
