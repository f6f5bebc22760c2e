# Two commands do everything on a machine that has Python 3.11 or later: `make demo` and `make test`.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check
STAMP := $(VENV)/.ready
# A worker takes a half of the tests, and from the other's when it has done its own: what a module sets up is so set up
# once, where tests that are dealt out one by one would have each worker set it up.
PYTEST := $(BIN)/python -m pytest --dist worksteal
# Hundreds of tests start Python: what it compiles is kept, also where the surroundings (many containers) forbid that.
unexport PYTHONDONTWRITEBYTECODE
# Two workers on two cores: threads of linear algebra beside them would only wait for one another.
QUICK_TESTS := OPENBLAS_NUM_THREADS=1 $(PYTEST) -m "not slow and not servers and not kubernetes and not ray" --durations=20 --durations-min=5
RAY_TESTS := $(PYTEST) -m ray
KUBERNETES_TESTS := $(PYTEST) -m "kubernetes and not slow"

.PHONY: demo test test-all test-ray test-fuzz test-servers test-kubernetes check proto bench clean

$(STAMP): pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(PIP) install --quiet --constraint constraints.txt --editable ".[skopt]"
	touch $@

$(VENV)/.ready-dev: $(STAMP)
	$(PIP) install --quiet "pip>=25.1"
	$(PIP) install --quiet --constraint constraints.txt --group dev --group integrations --editable ".[all]"
	touch $@

demo: $(STAMP)  ## a real experiment to its best trial: 12 trials, Bayesian optimisation, over the gRPC suggestion service
	@rm -rf .demo
	@PATH="$(CURDIR)/$(BIN):$$PATH" KATIB_HOME=.demo katib run examples/digits/experiment.yaml --suggestion process
	@echo "look around: KATIB_HOME=.demo $(BIN)/katib get trials digits -o wide"

# SECOND_LOOK=1: tests that failed beside all the others run once more, alone. What is broken fails again, what only was
# too slow on a crowded machine does not. A run that did not come to its end (another exit status than 1) gets none.
test: $(VENV)/.ready-dev  ## the tests that need pip alone
	$(QUICK_TESTS) -n 2 || { [ $$? -eq 1 ] && [ -n "$(SECOND_LOOK)" ] && echo "=== once more, alone" && \
		$(QUICK_TESTS) --last-failed --last-failed-no-failures none; }

test-all: $(VENV)/.ready-dev  ## also the slow ones
	$(PYTEST) -n 2 -m "not servers and not kubernetes"

test-ray: $(VENV)/.ready-dev  ## trials on Rays that it starts, of one node and of several
	$(RAY_TESTS) -n 2 || { [ $$? -eq 1 ] && [ -n "$(SECOND_LOOK)" ] && echo "=== once more, alone" && \
		$(RAY_TESTS) --last-failed --last-failed-no-failures none; }

# An environment of its own: the library's plugin of pytest takes options of others.
test-fuzz: pyproject.toml constraints.txt  ## requests made at random from the served documents, within minutes
	test -x $(VENV)-fuzz/bin/python || $(PYTHON) -m venv $(VENV)-fuzz
	$(VENV)-fuzz/bin/python -m pip --disable-pip-version-check install --quiet "pip>=25.1"
	$(VENV)-fuzz/bin/python -m pip --disable-pip-version-check install --quiet --constraint constraints.txt --group fuzz \
		--editable ".[server]"
	KATIB_TEST_REQUIRE=schemathesis $(VENV)-fuzz/bin/python -m pytest tests/server/test_fuzz.py

test-servers: $(VENV)/.ready-dev  ## the tests that need servers, which it installs as root or by sudo: databases, Kubernetes; Kubeflow's clients
	.ci/install-servers
	$(BIN)/python -m tests.clients.environments
	KATIB_TEST_REQUIRE="$${KATIB_TEST_REQUIRE:-postgres,mariadb,katib-client,kubeflow-client}" $(PYTEST) -n 2 -m "servers or every_store"
	$(MAKE) test-kubernetes

test-kubernetes: $(VENV)/.ready-dev  ## on the cluster of $KUBECONFIG, else on a test bed that it builds (once) and starts as root
	PYTHON="$(PYTHON)" .ci/install-kubernetes
	export KATIB_TEST_REQUIRE="$${KATIB_TEST_REQUIRE:-k8s}"; \
	$(KUBERNETES_TESTS) -n 2 || { [ $$? -eq 1 ] && [ -n "$(SECOND_LOOK)" ] && echo "=== once more, alone" && \
		$(KUBERNETES_TESTS) --last-failed --last-failed-no-failures none; }

check: $(VENV)/.ready-dev  ## linters, types, floors
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

proto:  ## regenerate the messages; this release's output runs on every protobuf from 5.26 on
	$(PYTHON) -m venv $(VENV)-proto
	$(VENV)-proto/bin/python -m pip install --quiet grpcio-tools==1.64.3 "setuptools<81"
	$(VENV)-proto/bin/python -m grpc_tools.protoc -Isuggestion_service/generated=suggestion_service/proto \
		--python_out=. --pyi_out=. suggestion_service/generated/api.proto
	$(VENV)-proto/bin/python -m grpc_tools.protoc -Ikatib/metrics/generated=katib/metrics/proto \
		--python_out=. --pyi_out=. katib/metrics/generated/event.proto

bench: $(VENV)/.ready-dev  ## engine throughput: a table and JSON
	$(BIN)/python -m benchmarks.engine

clean:
	rm -rf $(VENV) $(VENV)-proto $(VENV)-fuzz .demo build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
