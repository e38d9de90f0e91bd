# `make demo` and `make test` set everything up by themselves; the other goals are for daily work.
.DELETE_ON_ERROR:
.PHONY: setup check test demo bench prove prove-shell coverage lock generate format clean

BIN := .venv/bin
STAMP := .venv/.setup
DEMO_ARGS ?=
BENCH_ARGS ?= pipeline
PROVE_ARGS ?=
SHELL_ARGS ?=
TEST_ARGS ?=
PURE := not broker and not faults and not browser and not compiled and not slow
PIP_COMPILE = $(BIN)/pip-compile --quiet --strip-extras --generate-hashes --allow-unsafe --no-header --no-annotate \
	--no-emit-index-url --no-emit-trusted-host --no-emit-find-links --no-emit-options

setup: $(STAMP)

# Again only when a lock, the package's declaration or the broker's jars have changed.
$(STAMP): requirements-dev.lock pyproject.toml ops/broker/pom.xml
	@python=$$(sh ops/needs.sh) || exit 1; \
	[ -x $(BIN)/python ] || "$$python" -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-dev.lock
	$(BIN)/python -m pip install -qq --disable-pip-version-check --no-deps --no-build-isolation --editable .
	$(BIN)/sztab broker fetch
	@touch $(STAMP)

# What a change must pass before it is committed; under two minutes.
check: setup
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/sztab generate --check
	$(BIN)/pytest -q -n logical -m "$(PURE)" $(TEST_ARGS)

# Every test but the long seeded runs of `make prove`.
test: setup
	$(BIN)/pytest -q -m "not slow" $(TEST_ARGS)

demo: setup
	$(BIN)/sztab demo $(DEMO_ARGS)

bench: setup
	$(BIN)/sztab bench $(BENCH_ARGS)

# Every fault on a whole installation, ten runs of most; takes some hours. `PROVE_ARGS="--faults quick --runs 1"`: the
# short set, some minutes. With `--resume FILE` it goes on where it was.
prove: setup
	$(BIN)/sztab prove $(PROVE_ARGS)

# The shell alone under every attack with three seeds, and other long seeded runs; more than an hour.
prove-shell: setup
	$(BIN)/pytest -q -m slow $(SHELL_ARGS)

coverage: setup
	$(BIN)/coverage run -m pytest -q -m "$(PURE)"
	$(BIN)/coverage report

# New versions are chosen in pyproject.toml; this writes what they bring along, with hashes and without addresses.
lock: setup
	$(PIP_COMPILE) --output-file=requirements.lock pyproject.toml
	$(PIP_COMPILE) --extra=dev --constraint=requirements.lock --output-file=requirements-dev.lock pyproject.toml

generate: setup
	$(BIN)/sztab generate

format: setup
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

clean:
	rm -rf .venv build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .coverage
