# `make` or `make help` lists the targets. Each does the set-up that it needs by itself.
# TESTS="tests/engine -k probe" make test: some tests only.

PY := .venv/bin/python
DMHELPERS := .venv/bin/dmhelpers
TESTS ?=
comma := ,

.DEFAULT_GOAL := help
.PHONY: help setup engine bases pack lab measure course notebooks recording site slides test test-browser check ci format bench lock cleanup clean

# $(call extra,NAME,MODULE): what only some targets need is installed when one of them first asks for it.
extra = $(PY) -c 'import $(2)' 2>/dev/null || { echo "setup: installing what the $(1) needs into .venv"; \
	$(PY) -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[$(1)]'; }

help: ## List the targets.
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## (.*)/\1|\2/' | awk -F'|' '{printf "  make %-12s %s\n", $$1, $$2}'

setup: ## Make the Python environment in .venv with everything the course needs.
	@sh scripts/setup.sh

engine: setup ## Use the Docker Engine that is there; else, as root on Debian or Ubuntu, install and start one.
	@$(DMHELPERS) engine up

bases: engine ## Pull the base images, or assemble stand-ins where no registry answers.
	@$(DMHELPERS) bases prepare

pack: bases ## Keep everything that the course downloads in one file, build/course-pack.tar, for a room without network.
	@$(DMHELPERS) pack

lab: bases ## Open the course in JupyterLab, with everything set up.
	@sh scripts/lab.sh

measure: bases ## Build, run, tabulate and plot the exercise's images; results go to build/measure/.
	@$(DMHELPERS) measure

course: bases ## Run every solution notebook; pages and a summary of the claims go to build/course/.
	@$(PY) -m dmhelpers.course.notebooks course

notebooks: setup ## Make the learner copies of the notebooks from their solutions.
	@$(PY) -m dmhelpers.course.notebooks generate

recording: bases ## Record anew what the recording in recordings/ lacks or cannot play; see docs/recorded.md.
	@$(DMHELPERS) record --output recordings

site: setup ## Build the course's site from the solutions and their outputs, without running them, into build/site/.
	@$(call extra,site,myst_nb$(comma) sphinx_book_theme)
	@$(PY) docs/site/build.py

slides: setup ## Make the instructor's slides from the solutions, without running them, into build/slides/.
	@$(call extra,slides,sphinx_revealjs$(comma) nbconvert)
	@$(PY) docs/slides/build.py

test: bases ## Run every test, on both image stores where this machine can start a second engine.
	@$(call extra,workshop,jupyterhub$(comma) dockerspawner$(comma) supervisor)
	@$(call extra,deploy,kubespawner$(comma) kubernetes_validate)
	@sh scripts/networks.sh
	@$(PY) scripts/run_tests.py $(TESTS)

test-browser: bases ## Work through the notebooks in a real JupyterLab with a headless Chromium.
	@$(call extra,browser,playwright)
	@$(call extra,workshop,jupyterhub$(comma) dockerspawner$(comma) supervisor)
	@$(call extra,slides,sphinx_revealjs)
	@sh scripts/chromium.sh
	@sh scripts/proxy.sh
	@$(PY) scripts/run_tests.py --browser $(TESTS)

check: setup ## Check style, formatting and types, notebooks too.
	@.venv/bin/ruff check
	@.venv/bin/ruff format --check
	@.venv/bin/mypy

ci: ## Run what CI runs: check and test, with every engine test required; what it starts it stops.
	@bash .ci/run

format: setup ## Format the code and mend what the linter can mend by itself.
	@.venv/bin/ruff check --fix-only --quiet
	@.venv/bin/ruff format

bench: bases ## Run the benchmarks; tables of ratios go to the screen and to build/bench/.
	@[ -x .venv/bin/dive ] || $(PY) -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[bench]'
	@$(PY) -m benchmarks

lock: setup ## Choose the versions in constraints.txt anew.
	@$(PY) -m pip install --quiet uv
	@.venv/bin/uv pip compile --quiet --upgrade --universal --python-version 3.11 --all-extras \
		--no-header --no-annotate --no-emit-index-url pyproject.toml --output-file constraints.txt

cleanup: setup ## Remove from the engine what the course made there, except the base images, and nothing else.
	@$(DMHELPERS) cleanup

clean: ## Remove what was made in this folder: .venv, build and the caches; your workspace stays.
	@rm -rf .venv build dist .pytest_cache .mypy_cache .ruff_cache
	@find . -name __pycache__ -type d -not -path './workspace/*' -prune -exec rm -rf {} +
