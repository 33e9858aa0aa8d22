# Thin on purpose: every target is one script, which Windows and macOS users can call themselves (see README.md).

PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV := .venv/bin/python
TORCH_INDEX ?=

.PHONY: help setup demo test lint extension benchmark bake

help:
	@echo "make setup      the Python environment, .venv"
	@echo "make demo       a head from a public-domain portrait, in out/astronaut/"
	@echo "make test       the whole test suite, in Blender 4.2, 4.5 and 5.0"
	@echo "make lint       formatting, linting and types only"
	@echo "make extension  the installable zips, in dist/"
	@echo "make benchmark  the numbers of the README"
	@echo "make bake       the bundled head, from its CC0 source"

setup:
	@$(PYTHON) scripts/setup_env.py $(if $(TORCH_INDEX),--torch-index $(TORCH_INDEX))

demo: setup
	@$(VENV) scripts/demo.py

test: setup
	@$(PYTHON) scripts/setup_env.py --bpy 4.2 --bpy 5.0
	@$(VENV) scripts/test.py

lint: setup
	@$(VENV) scripts/test.py --lint

extension: setup
	@$(VENV) scripts/build_extension.py

benchmark: setup
	@$(VENV) scripts/benchmark.py

bake: setup
	@$(VENV) -m scripts.bake_head
