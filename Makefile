# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Every target does its own set-up. `make help` lists them.

PYTHON ?= python3
ENGINE := .env/engine/bin/python
BLENDER := .env/blender-4.5/bin/python
INPUT ?= samples/courtyard
OUT ?= out
RUN ?= out/training

.PHONY: help demo test train card check format build golden evaluate benchmark samples screenshots clean

help: ## list the targets
	@sed -n 's/^\([a-z]*\):.*## /  make \1	/p' $(MAKEFILE_LIST)

demo: ## reconstruct the sample photos (or INPUT=/some/folder) in headless Blender
	@$(PYTHON) tools/setup_environments.py engine blender-4.5
	@LIBGL_ALWAYS_SOFTWARE=1 $(BLENDER) -P tools/demo.py "$(INPUT)" --out "$(OUT)" $(DEMO_OPTIONS)

test: ## run all tests, on every Blender version that this machine has Python for
	@$(PYTHON) tools/setup_environments.py engine blender-4.5 blender-5.2
	@$(PYTHON) tools/run_tests.py

golden: ## compare the networks with the reference numbers in DIR
	@$(PYTHON) tools/setup_environments.py engine
	@$(ENGINE) -P tests/check_golden.py "$(DIR)"

evaluate: ## measure the small network on synthetic scenes it has never seen (or SCENES=/some/folder)
	@$(PYTHON) tools/setup_environments.py engine
	@PYTHONPATH=. $(ENGINE) -P -m $(if $(SCENES),da3_blender evaluate "$(SCENES)",training.held_out) \
		--out "$(OUT)/evaluation" $(EVALUATE_OPTIONS)

benchmark: ## compare speed and memory with upstream's package (20 minutes; options: BENCHMARK_OPTIONS)
	@$(PYTHON) benchmarks/vs_upstream.py $(BENCHMARK_OPTIONS)

train: ## train da3-tiny on synthetic worlds, or go on with it (TRAIN_OPTIONS="--minutes 90")
	@$(PYTHON) tools/setup_environments.py training
	@PYTHONPATH=. .env/training/bin/python -P -m training --out "$(OUT)/training" $(TRAIN_OPTIONS)

card: ## put the weights of a training (RUN=FOLDER) into the extension and their numbers into docs/da3-tiny.md
	@$(PYTHON) tools/setup_environments.py engine training
	@PYTHONPATH=. .env/training/bin/python -P -m training.export "$(RUN)"
	@PYTHONPATH=. .env/training/bin/python -P -m training.plots "$(RUN)" --out docs/pictures/da3-tiny-training.webp
	@PYTHONPATH=. $(ENGINE) -P -m training.held_out --card docs/da3-tiny.md

check: ## format, lint, types
	@$(PYTHON) tools/setup_environments.py check engine
	@.env/check/bin/ruff format --check .
	@.env/check/bin/ruff check .
	@.env/check/bin/pyright --pythonpath $(ENGINE)

format: ## format the code
	@$(PYTHON) tools/setup_environments.py check
	@.env/check/bin/ruff format .
	@.env/check/bin/ruff check --fix-only --quiet . || true

build: ## make the extension's zips and the repository's index.json in dist/
	@$(PYTHON) tools/setup_environments.py blender-4.5
	@$(BLENDER) -P tools/build_extension.py --out dist

samples: ## render the sample photos again (about 20 minutes)
	@$(PYTHON) tools/setup_environments.py blender-4.5
	@$(BLENDER) -P tools/render_samples.py --out samples/courtyard --depth 7

screenshots: ## take the pictures of docs/pictures in a real window (DRIVER=/path/to/driver, see docs/architecture.md)
	@$(PYTHON) tools/setup_environments.py engine
	@$(ENGINE) -P tools/make_screenshots.py --driver "$(DRIVER)" $(SCREENSHOT_OPTIONS)

clean: ## remove results and environments
	rm -rf out dist build .env
