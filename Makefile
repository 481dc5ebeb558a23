# Every command a person needs. `make` alone lists them.
#
#   PYTHON=python3.12   which Python makes .venv (3.11 to 3.13; the first found otherwise)
#   TORCH=cpu           PyTorch without CUDA: on Linux it saves gigabytes (make book TORCH=cpu)
#   REPOSITORY=https://github.com/OWNER/NAME    where it is published: buttons, canonical addresses (make book)
#   PORT=8001           where `make serve` serves
#   ONE=1               make robust in one environment instead of all
#   JOBS=2              how many processes share the tests (all cores otherwise)
#   TERM=autumn-2027    whose coursework; COURSE=FOLDER where it lies (../course-TERM otherwise)
#   ASSIGNMENT=gru      which one; SUBMISSIONS=FOLDER-OR-ZIP, ROSTER=CSV, ENGINE=tcp://HOST:8786 as book/teach.md says

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-builtin-rules --no-print-directory

export PYTHON TORCH PORT
# One thread each: the numbers on the pages are a single core's, and two libraries do not fight over the cores.
export OMP_NUM_THREADS := 1
export PYTHONUNBUFFERED := 1

JOBS ?= auto
PY := .venv/bin/python
SITE_TOOLS := _build/site-tools
step = @printf '\033[1m==> %s\033[0m\n' $(1)

.PHONY: help environment book serve pdf epub zip test test-unit test-notebooks test-site lint bench records robust notebooks measure \
    release grade feedback export practice lock clean distclean

help: ## list the targets (this)
	@echo "Unrolled: sequence models derived, built and measured."
	@echo
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-16s %s\n", $$1, $$2}' $(MAKEFILE_LIST)
	@echo
	@sed -n 's/^#   \([A-Z]*=\)/  \1/p' $(MAKEFILE_LIST)

environment: ## make or update .venv; the other targets do it when they need it
	@tools/environment.sh

book: environment ## run every notebook, build the website, print the address to open
	$(call step,"Running the notebooks and building the website")
	@$(PY) tools/website.py build

serve: environment ## build the website and serve it on http://localhost:8000
	@$(PY) tools/website.py serve

pdf: environment ## the whole book as _build/downloads/unrolled.pdf; its system packages: tools/pdf-packages.txt
	$(call step,"The book as a PDF")
	@$(PY) tools/website.py pdf

epub: environment ## the whole book as _build/downloads/unrolled.epub
	$(call step,"The book as an ePub")
	@$(PY) tools/website.py epub

zip: book ## the site as _build/downloads/unrolled-site.zip, to read without a network
	@$(PY) tools/website.py zip

test: environment ## prove it: style, unit tests, every notebook again, a strict build of the site, its checks
	@$(MAKE) lint
	@$(MAKE) test-unit
	@$(MAKE) test-notebooks
	@$(MAKE) test-site

lint: environment ## style, and the mistakes that a linter finds
	$(call step,"Style")
	@$(PY) -m ruff check .

test-unit: environment ## unit tests of the package and of the book's sources
	$(call step,"Unit tests")
	@$(PY) -m pytest tests --ignore=tests/site -n $(JOBS) --dist loadfile

test-notebooks: environment ## run every notebook again and compare what it prints with what is stored
	$(call step,"Every notebook again")
	@$(PY) -m pytest book -v --durations=3 -n $(JOBS) --dist loadfile

test-site: book $(SITE_TOOLS)/.installed ## build the site strictly, then check it in a browser
	$(call step,"Checks of the site")
	@$(PY) -m pytest tests/site -v

# The browser driver and the checkers. Without npm there is no folder, and the checks say by name why they are skipped.
$(SITE_TOOLS)/.installed: tests/site/package.json tests/site/package-lock.json
	$(call step,"Tools for the checks of the site")
	@rm -rf $(SITE_TOOLS) && mkdir -p $(SITE_TOOLS)
	@if command -v npm >/dev/null; then \
	    cp $^ $(SITE_TOOLS) && npm ci --prefix $(SITE_TOOLS) --ignore-scripts --no-audit --no-fund; \
	else \
	    echo "npm is not installed: the checks that need a browser will be skipped"; \
	fi
	@if command -v npm >/dev/null; then touch $@; fi

bench: environment ## time our cells against the library's, as ratios
	$(call step,"Benchmarks")
	@$(PY) -m benchmarks

records: environment ## do every study again, on every core, and record it; a stopped run goes on where it was
	$(call step,"Studies")
	@for study in $$($(PY) -m experiments --list); do $(PY) -m experiments $$study --record; done

robust: environment ## every page under numerics that are not this machine's; ONE=1 for one environment, new each day
	$(call step,"Every page under other numerics")
	@$(PY) tools/robust.py $(if $(ONE),--one)

notebooks: environment ## run every notebook and write it back in its normal form
	$(call step,"Running and normalising the notebooks")
	@$(PY) tools/notebooks.py run

measure: environment ## measure each page's time and memory on one core, and record them
	$(call step,"Measuring the pages")
	@$(PY) tools/notebooks.py measure

# Coursework. TERM is also what a shell calls its terminal: only the one on make's command line counts.
ifeq ($(origin TERM),command line)
COURSEWORK = $(PY) -m coursework $(1) --term $(TERM) $(if $(COURSE),--course "$(COURSE)")
else
COURSEWORK = echo "Which term? For instance: make $@ TERM=autumn-2027" >&2; exit 2;
endif
named = $(if $(ASSIGNMENT),$(ASSIGNMENT),$(error Which assignment? For instance: make $@ TERM=autumn-2027 ASSIGNMENT=gru))

release: environment ## write a term's assignments, or refuse: make release TERM=autumn-2027
	@$(call COURSEWORK,release) $(ASSIGNMENT)

grade: environment ## grade a folder or an LMS's zip: make grade TERM=… ASSIGNMENT=gru SUBMISSIONS=gru.zip
	@$(call COURSEWORK,grade) $(named) $(if $(SUBMISSIONS),"$(SUBMISSIONS)") $(if $(ROSTER),--roster "$(ROSTER)") \
	    $(if $(ENGINE),--engine $(ENGINE))

feedback: environment ## write what each student gets back: make feedback TERM=… ASSIGNMENT=gru
	@$(call COURSEWORK,feedback) $(named)

export: environment ## write grades for Canvas, Moodle and Gradescope: make export TERM=… ASSIGNMENT=gru
	@$(call COURSEWORK,export) $(named)

practice: environment ## write the public practice notebooks again
	@$(PY) -m coursework practice

lock: environment ## compile requirements.in into requirements.txt
	$(call step,"Compiling the pins")
	@tools/lock.sh

clean: ## remove everything built, the environment excepted
	rm -rf _build .pytest_cache .ruff_cache .hypothesis
	find . -name __pycache__ -not -path './.venv/*' -prune -exec rm -rf {} +

distclean: clean ## remove the environment too
	rm -rf .venv
