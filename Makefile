# Modern ConvNets: `make help` lists what can be made.

PYTHON ?= python3
# One more than two cores: a test often waits, for a kernel or another program.
JOBS ?= 3
BIN := .venv/bin
READY := .venv/.ready
EXTRAS := tensorflow,book,test

.DEFAULT_GOAL := help
.PHONY: help book pdf epub slides test test-changed lesson new-lesson new-exercise serve
.PHONY: pair lint bench release lock clean test-site test-backends

help: ## list the targets
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /  make \1|/' \
		| awk -F'|' '{ printf "%-20s %s\n", $$1, $$2 }'

$(READY): pyproject.toml requirements.lock
	@$(PYTHON) -c 'import sys; v = sys.version_info[:2]; sys.exit(None if (3, 10) <= v <= (3, 13) else "Python 3.10 to 3.13 is needed; this is %d.%d. Name another one: make PYTHON=python3.12 book" % v)'
	@echo "Making the environment in .venv: usually 2 to 4 minutes, only once."
	@$(PYTHON) -m venv .venv
	@$(BIN)/python -m pip install --disable-pip-version-check \
		--constraint requirements.lock --editable ".[$(EXTRAS)]" \
		|| { echo "The environment could not be made: see the message above, then call make again."; exit 1; }
	@touch $@

book: $(READY) ## execute the lessons and build the site (about 20 minutes the first time)
	@$(BIN)/python tools/build_book.py

pdf: $(READY) ## print the built site as one PDF (needs Chromium)
	@$(BIN)/python tools/print_book.py pdf

epub: $(READY) ## pack the built site as an EPUB
	@$(BIN)/python tools/print_book.py epub

slides: $(READY) ## make a deck of slides for each lesson of the built site
	@$(BIN)/python tools/slides.py

test: $(READY) ## run every test, each lesson untouched and solved (about 15 minutes)
	@echo "Running all tests on $(JOBS) processes: usually about 15 minutes on two cores."
	@COURSE_PROFILE=smoke COURSE_CHECK=blank $(BIN)/python -m pytest --nbmake \
		-n $(JOBS) --dist worksteal -q lessons tests

test-changed: $(READY) ## run the tests of what differs from the branch main (a few minutes)
	@$(BIN)/python tools/changed_tests.py

lesson: $(READY) pair ## execute one lesson, make lesson L=02
	@test -n "$(L)" || { echo "Say which lesson: make lesson L=02"; exit 2; }
	@$(BIN)/python tools/run_lessons.py --again $(L)

serve: ## show the built site at http://localhost:8000
	@test -e _build/html/index.html || { echo "There is no site yet: call make book first."; exit 2; }
	@echo "The site is at http://localhost:8000 (stop with Ctrl-C)."
	@$(PYTHON) -m http.server --bind 127.0.0.1 --directory _build/html 8000

new-lesson: $(READY) ## make a lesson that passes every test, make new-lesson N=14 TITLE="Attention"
	@test -n "$(N)" -a -n "$(TITLE)" || { echo 'Say which: make new-lesson N=14 TITLE="Attention"'; exit 2; }
	@$(BIN)/python tools/template.py lesson "$(N)" "$(TITLE)" $(if $(TOPIC),--topic "$(TOPIC)") $(if $(NEEDS),--needs $(NEEDS))

new-exercise: $(READY) ## add an exercise to a lesson, make new-exercise N=05 NAME=channel_count KIND=number
	@test -n "$(N)" -a -n "$(NAME)" || { echo 'Say which: make new-exercise N=05 NAME=channel_count'; exit 2; }
	@$(BIN)/python tools/template.py exercise "$(N)" "$(NAME)" $(if $(KIND),--kind "$(KIND)") $(if $(TITLE),--title "$(TITLE)")

pair: $(READY) ## write each lesson's notebook from its Markdown
	@$(BIN)/python tools/pair.py

lint: $(READY) ## check style, types, spelling and prose as the pre-commit hooks do
	@$(BIN)/python -m pip install --quiet --constraint requirements.lock ruff mypy
	@$(BIN)/ruff check . && $(BIN)/ruff format --check . && $(BIN)/mypy
	@$(BIN)/python tools/prose.py

test-site: $(READY) ## check the built site, also in a Chromium (call make book first)
	@test -e _build/html/index.html || { echo "There is no site yet: call make book first."; exit 2; }
	@$(BIN)/python -m pip install --quiet --constraint requirements.lock \
		playwright axe-playwright-python
	@$(BIN)/python -m pytest -q -rs tests/site

test-backends: $(READY) ## run the package's tests on JAX and PyTorch (installs both)
	@$(BIN)/python -m pip install --quiet --constraint requirements.lock \
		jax torch efficientnet-lite-pytorch
	@for backend in jax torch; do \
		echo "Running the package's tests on $$backend: usually 3 to 10 minutes."; \
		KERAS_BACKEND=$$backend $(BIN)/python -m pytest -n $(JOBS) --dist worksteal -q \
			-m "not notebook and not tensorflow_only and not repository" \
			tests --ignore-glob "tests/test_[0-9]*" || exit 1; \
		KERAS_BACKEND=$$backend $(BIN)/python -m pytest -q -k each_backend \
			tests/test_09_transfer_learning.py || exit 1; \
	done

bench: $(READY) ## measure everything again and write results/ (more than an hour)
	@$(BIN)/python -m benchmarks

release: $(READY) ## stamp a version; build package, notebooks and site, make release VERSION=0.2.0
	@test -n "$(VERSION)" || { echo "Say which version: make release VERSION=0.2.0"; exit 2; }
	@$(BIN)/python tools/release.py "$(VERSION)"

lock: ## pin all versions anew in requirements.lock (needs uv)
	@uv pip compile --universal --all-extras --python-version 3.10 --upgrade --quiet \
		--no-header --no-annotate pyproject.toml --output-file requirements.lock

clean: ## remove everything that was built, but not the environment
	@rm -rf _build .pytest_cache
