# Each target does what it needs first, so any of them works on a fresh clone.
PYTHON ?= python3
# Pinned, so that a fresh environment is the one that was tested. On Linux, PyPI's torch carries CUDA; for the much
# smaller CPU build: make TORCH="torch==2.13.0 --index-url https://download.pytorch.org/whl/cpu"
TORCH ?= torch==2.13.0
VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed
DEMO := demo
MIDI := sfdata/shipped/giantmidi
PLAYED := $(MIDI)/Scarlatti_Keyboard_Sonata_in_F_minor_K239_gQ9QO83rCCg_cut.mid
FEW := $(MIDI)/Bach_*.mid $(MIDI)/Haydn_*.mid $(MIDI)/Scarlatti_*.mid

.DEFAULT_GOAL := help
.PHONY: help install demo test check docs bench bundled follower fuzz stress wheel release clean

help:  ## list the targets
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed 's/:.*##/\t/' | expand -t 12

install: $(INSTALLED)  ## create the virtual environment .venv with everything in it

$(INSTALLED): pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit(None if sys.version_info >= (3, 11) else "sfdata needs Python 3.11 or newer; this is " + sys.version.split()[0] + ". Try: make PYTHON=python3.12")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet $(TORCH)
	$(BIN)/python -m pip install --quiet --editable '.[model,tensorboard,dev,docs]'
	@touch $@

demo: $(INSTALLED)  ## build stores from real MIDI, train, evaluate, follow, write a report (about 10 minutes)
	rm -rf $(DEMO)
	$(BIN)/sfdata build pipelines/demo.toml -o $(DEMO)/store.zarr
	$(BIN)/sfdata validate $(DEMO)/store.zarr
	$(BIN)/sfmodel train $(DEMO)/store.zarr --model reduced -o $(DEMO)/run \
	  --epochs 11 --batch-size 128 --learning-rate 0.005 --schedule cosine --no-dropout
	$(BIN)/sfmodel evaluate $(DEMO)/run $(DEMO)/store.zarr
	$(BIN)/sfmodel evaluate matched-filter $(DEMO)/store.zarr
	$(BIN)/sfmodel report $(DEMO)/run -o $(DEMO)/report
	$(BIN)/sfdata build pipelines/human.toml $(FEW) -o $(DEMO)/human.zarr
	$(BIN)/sfdata validate $(DEMO)/human.zarr --instruments
	$(BIN)/sfdata verify $(DEMO)/human.zarr --sample 20
	$(BIN)/sfdata report $(DEMO)/human.zarr -o $(DEMO)/report/human.html --no-validate
	$(BIN)/sfmodel evaluate matched-filter-5 $(DEMO)/human.zarr
	$(BIN)/sfmodel evaluate bundled $(DEMO)/human.zarr
	$(BIN)/sfdata extract $(PLAYED) -o $(DEMO)/voices --method all
	$(BIN)/sfdata augment $(DEMO)/voices -o $(DEMO)/performances --copies 1 --seed 7 --recipe pipelines/human.toml
	$(BIN)/sfdata render $(DEMO)/performances --role variant --soundfont timgm6mb:1 -o $(DEMO)/sound
	$(BIN)/sfmodel follow $(DEMO)/performances/*.score.mid $(DEMO)/sound/*.flac --html $(DEMO)/report/followed.html
	$(BIN)/sfmodel align $(DEMO)/performances/*.score.mid $(DEMO)/sound/*.flac -o $(DEMO)/report/alignment.csv \
	  --picture $(DEMO)/report/alignment.png
	@echo "The report is $(CURDIR)/$(DEMO)/report/report.html; the performance that was followed is followed.html there, a store with sound human.html"

test: $(INSTALLED)  ## run the tests
	$(BIN)/python -m pytest -n auto --dist worksteal

check: $(INSTALLED)  ## lint and check types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

docs: $(INSTALLED)  ## build the documentation as a site, build/site/index.html; any warning is an error
	NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --strict --quiet

bench: $(INSTALLED)  ## measure everything against its bounds, side by side with others, and write docs/benchmarks.md
	$(BIN)/python -m pip install --quiet pyfluidsynth mido threadpoolctl
	$(BIN)/python benchmarks/run_all.py

bundled: $(INSTALLED)  ## make the bundled network again: fetch soundfonts, build, train, export (two hours on two cores)
	$(BIN)/sfdata soundfonts fetch fluidr3-gm fluidr3-mono-gm musescore-general
	$(BIN)/sfdata build pipelines/bundled.toml -o bundled.zarr
	OMP_NUM_THREADS=1 $(BIN)/sfmodel train bundled.zarr --config pipelines/bundled-training.toml -o bundled-run --resume
	$(BIN)/sfmodel export bundled-run -o sfmodel/weights/bundled.safetensors

follower: $(INSTALLED)  ## make the follower's frame matcher again: fetch soundfonts, build, train (an hour on two cores)
	$(BIN)/sfdata soundfonts fetch fluidr3-gm fluidr3-mono-gm musescore-general
	$(BIN)/sfdata build pipelines/following.toml -o following.zarr
	OMP_NUM_THREADS=1 $(BIN)/sfmodel train-follower following.zarr -o follower-run --resume
	cp follower-run/follow.safetensors sfmodel/weights/follow.safetensors

fuzz: $(INSTALLED)  ## build from 1,000 damaged MIDI files, read 1,000 damaged stores, and count what became of them
	$(BIN)/python tests/fuzzing.py --count 1000
	PYTHONPATH=. $(BIN)/python tests/store_fuzzing.py --count 1000

stress: $(INSTALLED)  ## kill builds at 30 random moments, and see that each goes on and ends with the same bytes
	$(BIN)/python tests/stress.py --count 30

wheel: $(INSTALLED)  ## build wheel and source distribution into dist/
	rm -rf dist
	$(BIN)/python -m build --no-isolation --outdir dist .

release: wheel  ## see that the wheel alone, in a clean environment and folder, builds stores without torch and passes the demo
	$(PYTHON) -m venv dist/venv && mkdir dist/clean
	dist/venv/bin/python -m pip install --quiet dist/*.whl
	cd dist/clean && ../venv/bin/sfdata build pipelines/demo.toml -o bare.zarr && ../venv/bin/sfdata validate bare.zarr
	dist/venv/bin/python -m pip install --quiet $(TORCH)
	dist/venv/bin/python -m pip install --quiet "$$(echo dist/*.whl)[model]"
	cd dist/clean && $(MAKE) --no-print-directory -f $(CURDIR)/Makefile demo INSTALLED= VENV=$(CURDIR)/dist/venv \
	  MIDI="$$(../venv/bin/python -c 'from sfdata.shipped_files import shipped_file as f; print(f("giantmidi"))')"

clean:  ## remove the environment, the demo and all caches
	rm -rf $(VENV) $(DEMO) build dist .cache .pytest_cache .mypy_cache .ruff_cache .hypothesis *.egg-info
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
