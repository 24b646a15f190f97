PYTHON ?= python3
BIN := .venv/bin

.DEFAULT_GOAL := help
.PHONY: help setup run test test-slow test-nightly test-rig test-arrangements test-fuzz test-large test-faults test-redshift test-airflow test-deploy test-demo redshift-local bench lint format lock clean

help: ## Show this help
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "  make %-18s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: .venv/runtime profiles.yml ## Set up what the loader and dbt need, and do nothing with it

run: .venv/runtime profiles.yml ## Set up, then load the new files and build and test the tables
	@$(BIN)/python -m loader run

test: .venv/dev profiles.yml ## Set up, then test every promise on DuckDB and the main path on Redshift, in 5 minutes
	$(BIN)/python -m pytest -n 2 --dist loadfile -m "not slow and not nightly" --ignore tests/rig

test-slow: .venv/dev profiles.yml ## Run the other tests: all that needs Redshift, kills and faults, the commands of the pages
	$(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder -m "slow and not nightly"

test-nightly: .venv/dev profiles.yml ## Run variations of the slow tests, before a release
	$(BIN)/python -m pytest -n 2 --dist worksteal -m nightly

test-rig: .venv/dev profiles.yml ## Test the local stand-in for Redshift, after a change to it
	$(BIN)/python -m pytest -n 2 --dist loadfile tests/rig

test-arrangements: .venv/dev profiles.yml ## Load the same files in 200 ways, on Redshift in 40; all must make the same marts
	ARRANGEMENTS=50 $(BIN)/python -m pytest tests/arrangements -n 2 --dist worksteal

test-fuzz: .venv/dev profiles.yml ## Throw new hostile files at the loader; FUZZ="--fuzz-seconds 600" for longer
	$(BIN)/python -m pytest tests/fuzz --fuzz-seed fresh --fuzz-seconds 120 $(FUZZ)

test-large: .venv/dev profiles.yml ## Load five million records with one of each kind of dirt; needs 5 GB of room
	LARGE_RECORDS=5000000 $(BIN)/python -m pytest tests/large -k plain
	LARGE_RECORDS=1000000 $(BIN)/python -m pytest tests/large -k "crlf or gzip"

test-faults: .venv/dev profiles.yml ## Kill, cut and fill up at every step; prints what became of it
	@mkdir -p target && rm -f target/faults.jsonl
	FAULTS=all FAULTS_TALLY=$(CURDIR)/target/faults.jsonl \
	  $(BIN)/python -m pytest tests/faults tests/e2e/test_rollback.py -n 3 --dist worksteal \
	  -k "faults or kill"
	@$(BIN)/python tests/faults/tally.py target/faults.jsonl tests/faults/figures.md

test-redshift: .venv/dev profiles.yml ## Run all tests that need Redshift, on a cluster if REDSHIFT_E2E_HOST is set
	$(BIN)/python -m pytest tests/redshift
	$(BIN)/python -m pytest tests/e2e -k "[redshift]"

test-airflow: .venv-airflow/airflow .venv/runtime profiles.yml ## Test the Airflow DAG, in an environment of its own
	.venv-airflow/bin/python -m pytest -c tests/airflow/pytest.ini tests/airflow

test-deploy: .venv-deploy/deploy .venv/runtime profiles.yml ## Test image, compose file, and, if it is on PATH, terraform
	.venv-deploy/bin/python -m pytest -c tests/deploy/pytest.ini tests/deploy

test-demo: .venv-deploy/deploy ## Start the demo as a whole, which needs Docker, and let its DAG run
	.venv-deploy/bin/python -m pytest -c tests/deploy/pytest.ini tests/deploy/demo.py

redshift-local: .venv/dev profiles.yml ## Start a local stand-in for Redshift and S3 to try things on
	@PYTHONPATH=tests $(BIN)/python -m rig

bench: .venv/runtime .venv-bench/bench ## Measure the loader beside other tools; BENCH="--sizes 500000" HISTORY="--landed 1 100000" for less
	@.venv-bench/bin/python -m bench --loader-python $(BIN)/python $(BENCH)
	@.venv-bench/bin/python -m bench.history --loader-python $(BIN)/python $(HISTORY)
	@.venv-bench/bin/python -m bench.shapes --loader-python $(BIN)/python
	@.venv-bench/bin/python -m bench.listing --loader-python $(BIN)/python

lint: .venv/dev profiles.yml ## Check style, types, which module imports which, and SQL
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/sqlfluff lint --processes 2 models tests/dbt
	$(BIN)/sqlfluff lint --processes 2 --dialect duckdb models tests/dbt

format: .venv/dev ## Rewrite the Python code in its one style
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

lock: .venv/dev ## Remake the hash-pinned requirements from the .in files
	for set in uv runtime dev bench deploy airflow; do \
	  $(BIN)/uv pip compile --quiet --upgrade --universal --python-version 3.11 --generate-hashes \
	    --custom-compile-command "make lock" requirements/$$set.in -o requirements/$$set.txt; \
	done

clean: ## Remove what was built; the warehouse cti.duckdb stays
	rm -rf .venv .venv-bench .venv-deploy .venv-airflow target logs .pytest_cache .mypy_cache .ruff_cache

profiles.yml:
	@cp profiles.yml.example profiles.yml

# The environment is the target's folder. uv where it reaches a package index, pip (which may know a
# mirror that uv does not) elsewhere.
define install
@echo "setting up $(@D) from $<"
@test -x $(@D)/bin/python || $(PYTHON) -c "import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 15))" \
  || { echo "$(PYTHON) is not Python 3.11, 3.12, 3.13 or 3.14: say which one is, as in make run PYTHON=python3.12" >&2; exit 1; }
@test -x $(@D)/bin/python || $(PYTHON) -m venv $(@D)
@echo '*' > $(@D)/.gitignore
@$(@D)/bin/python -m pip install --quiet --quiet --require-hashes -r requirements/uv.txt
@$(@D)/bin/uv pip install --quiet --compile-bytecode --no-deps --require-hashes --python $(@D)/bin/python -r $< \
  || $(@D)/bin/python -m pip install --quiet --quiet --no-deps --require-hashes -r $<
@touch $@
endef

.venv/%: requirements/%.txt requirements/uv.txt
	$(install)

# What the benchmark compares with must not disturb what the loader is pinned to.
.venv-bench/%: requirements/%.txt requirements/uv.txt
	$(install)

.venv-airflow/%: requirements/%.txt requirements/uv.txt
	$(install)

.venv-deploy/%: requirements/%.txt requirements/uv.txt
	$(install)
