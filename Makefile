# The only front door. `make` lists what there is; each target sets up what it needs by itself.
SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
MAKEFLAGS += --no-print-directory

include scripts/versions.env

# A new filter is a new folder: nothing else has a list of them.
FILTERS := $(patsubst filters/%/Cargo.toml,%,$(wildcard filters/*/Cargo.toml))
GUESTS := $(patsubst envoy/guests/%/Cargo.toml,%,$(wildcard envoy/guests/*/Cargo.toml))
package = $(shell sed -n 's/^name = "\(.*\)"/\1/p' $(1) | head -n 1)
MODULES := $(foreach f,$(FILTERS),$(call package,filters/$(f)/Cargo.toml)) $(GUESTS)
WASM := wasm32-unknown-unknown
# Those that have a second module, for vectors of 128 bits: `features` in their Cargo.toml.
VECTORS := $(foreach f,$(FILTERS),$(if $(shell grep -s '^features = \["simd128"\]' filters/$(f)/Cargo.toml),$(call package,filters/$(f)/Cargo.toml)))
with_vectors = CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_RUSTFLAGS=-Ctarget-feature=+simd128
vectors_target = --target $(WASM) --target-dir "$${CARGO_TARGET_DIR:-target}/simd128"
PACKAGES := $(addprefix -p ,$(MODULES))

# Two checkouts can run side by side, each with ports of its own.
export PROXY_PORT ?= 10000
export ADMIN_PORT ?= 9901
export UPSTREAM_PORT ?= 8000
# The Envoys that `e2e` and `test` use: one if it is named, else the oldest and the newest that are supported.
ENVOYS := $(if $(ENVOY_BIN),own,$(or $(ENVOY_VERSION),$(ENVOY_DEFAULT) $(ENVOY_OLDEST)))

CARGO := cargo
SHIP := $(CARGO) run --quiet --package meshloom-ship --
LAB := $(CARGO) run --quiet --package meshloom-lab --
say = @printf '\033[1m== %s\033[0m\n' "$(1)" >&2
missing = { printf 'error: %s is missing: %s\n' "$(1)" "$(2)" >&2; exit 1; }

.PHONY: help
help: ## List the targets
	@sed -n 's/^\([a-z0-9-]*\):.*## \(.*\)/\1\t\2/p' Makefile | sort | awk -F'\t' '{ printf "make %-14s %s\n", $$1, $$2 }'
	@echo
	@echo "Variables: ENVOY_VERSION (1.36 to 1.40, or such as 1.39.1), ENVOY_BIN, PROXY_PORT, ADMIN_PORT, UPSTREAM_PORT"

.PHONY: cargo
cargo:
	@command -v cargo >/dev/null || $(call missing,cargo,install Rust from rustup.rs)
	@test -d "$$(rustc --print target-libdir --target $(WASM))" || { \
		command -v rustup >/dev/null || $(call missing,Rust's target $(WASM),install Rust by rustup$(,) or your distribution's package of it); \
		echo "adding Rust's target $(WASM)" >&2; rustup target add $(WASM) >&2; }

.PHONY: python
python:
	@command -v python3 >/dev/null || $(call missing,python3,it installs Envoy and httpbin; Debian: apt-get install python3 python3-venv)

.PHONY: setup
setup: cargo python ## Install the tools into .tools/: Envoy, httpbin, wasm-opt
	@scripts/tool.sh envoy
	@scripts/tool.sh httpbin
	@scripts/tool.sh wasm-opt || test $$? -eq 3
	@$(CARGO) fetch --quiet

.PHONY: build
build: cargo ## Compile every filter to WebAssembly
	$(call say,compiling the modules)
# One by one, as the tests compile them: together they would share the features of their dependencies, and a module
# would change with the Cargo.toml of another.
	@for module in $(MODULES); do $(CARGO) build --release --target $(WASM) --package $$module; done
	@for module in $(VECTORS); do $(with_vectors) $(CARGO) build --release $(vectors_target) --package $$module; done

.PHONY: optimize
optimize: build ## Prune and optimise the modules into dist/
	$(call say,optimising the modules)
	@wasm_opt=$$(scripts/tool.sh wasm-opt) || test $$? -eq 3; WASM_OPT=$$wasm_opt $(SHIP) optimize

.PHONY: size
size: optimize ## Print the modules' sizes and hold them to their budgets
	@$(SHIP) size

.PHONY: agent
agent: cargo ## Build the agent into dist/, and print its size
	$(call say,building the agent)
	@$(CARGO) build --profile agent --package meshloom-agent
	@mkdir -p dist
	@cp "$${CARGO_TARGET_DIR:-target}/agent/meshloom-agent" dist/meshloom-agent
	@wc -c dist/meshloom-agent | awk '{ printf "%s: %.1f MB\n", $$2, $$1 / 1e6; exit $$1 > 20e6 }' || \
		{ echo "error: the agent is larger than 20 MB" >&2; exit 1; }

.PHONY: lint
lint: cargo ## Check formatting, lints, scripts and (where cargo-deny is installed) dependencies
	$(call say,linting)
	@$(CARGO) fmt --all --check
	@$(CARGO) clippy --quiet --workspace --all-targets -- --deny warnings
	@# Those that `cargo test` does not run by itself are no part of all targets either.
	@$(CARGO) clippy --quiet --workspace --test envoy -- --deny warnings
	@$(CARGO) clippy --quiet --release --target $(WASM) $(PACKAGES) -pguest -- --deny warnings
	@# Without its regular expressions, which a module may be built without.
	@$(CARGO) clippy --quiet --release --target $(WASM) -pheader-mutation --no-default-features -- --deny warnings
	@$(with_vectors) $(CARGO) clippy --quiet --release $(vectors_target) $(addprefix -p ,$(VECTORS)) -- --deny warnings
	@scripts/check-docs.sh
	@shellcheck=$$(scripts/tool.sh shellcheck) || test $$? -eq 3; \
		test -z "$$shellcheck" || "$$shellcheck" -x scripts/*.sh scripts/docker/*.sh .ci/run
	@deny=$$(scripts/tool.sh cargo-deny) || test $$? -eq 3; \
		test -z "$$deny" || "$$deny" deny --log-level error check licenses bans sources

.PHONY: unit
unit: cargo # The decisions, natively; the modules, in the harness; the manifests.
	$(call say,testing the decisions and the modules)
	@# The whole workspace each time: another choice of packages is another choice of features, and all is built anew.
	@$(CARGO) test --quiet --workspace
	@$(CARGO) test --quiet --workspace --benches

.PHONY: test-modules
test-modules: optimize # The modules that are shipped, in the harness: `unit` has those that cargo leaves.
	$(call say,testing the shipped modules)
	@PWH_WASM_DIR=dist $(CARGO) test --quiet --workspace --test wasm
	$(call say,testing the shipped modules$(,) with vectors where there are such)
	@rm -rf dist/.vectors; mkdir -p dist/.vectors; cp dist/*.wasm dist/.vectors; cp dist/simd128/*.wasm dist/.vectors
	@PWH_WASM_DIR=dist/.vectors $(CARGO) test --quiet --workspace --test wasm

.PHONY: test
test: test-setup lint unit size test-modules agent e2e test-up test-docs test-new-filter test-registry test-bench e2e-docker ## Run every test there is
	$(call say,all tests passed)

.PHONY: e2e
e2e: optimize python $(addprefix e2e-with-,$(ENVOYS)) ## Drive real Envoys over HTTP [FILTER=name] [ENVOY_VERSION=1.40]

.PHONY: e2e-with-%
e2e-with-%:
	$(call say,end-to-end tests with Envoy $*)
	@registry=$$(scripts/tool.sh registry) || test $$? -eq 3; $(call with_tools,$*) REGISTRY_BIN=$$registry \
		$(CARGO) test --no-fail-fast $(or $(addprefix -p ,$(FILTER)),--workspace) --test envoy

# The tools that a test program finds in its environment. `own` is the Envoy that ENVOY_BIN names.
with_tools = \
	envoy=$$(scripts/tool.sh envoy $(filter-out own,$(1))); httpbin=$$(scripts/tool.sh httpbin); \
	ENVOY_BIN=$$envoy HTTPBIN_PYTHON=$$httpbin

.PHONY: e2e-docker
e2e-docker: optimize python ## The same with Envoy in Docker, and docker-compose.yaml
	$(call say,end-to-end tests with Envoy in Docker)
	@scripts/docker/e2e.sh

.PHONY: test-registry
test-registry: optimize # Pushes to a real registry, and pulls as `ship` and as the agent do.
	$(call say,testing with a real registry)
	@oras=$$(scripts/tool.sh oras) || test $$? -eq 3; registry=$$(scripts/tool.sh registry) || test $$? -eq 3; \
		ORAS=$$oras REGISTRY_BIN=$$registry $(CARGO) test --quiet --workspace --test registry

.PHONY: test-setup
test-setup: # Takes prerequisites away one by one.
	$(call say,testing what is said of missing tools)
	@scripts/test-setup.sh

.PHONY: test-up
test-up: optimize python # Starts, breaks and ends what `make up` starts.
	$(call say,testing up and down)
	@$(call with_tools,$(firstword $(ENVOYS))) scripts/test-up.sh

.PHONY: test-new-filter
test-new-filter: cargo python # Makes a filter, builds it, loads it in Envoy, and removes it.
	$(call say,testing new-filter)
	@$(call with_tools,$(firstword $(ENVOYS))) scripts/test-new-filter.sh

.PHONY: test-docs
test-docs: optimize python # Runs the commands of the READMEs against `make up`.
	$(call say,running the commands in the documents)
	@$(call with_tools,$(firstword $(ENVOYS))) scripts/test-docs.sh

.PHONY: demo
demo: optimize python ## Walk through every lab of the course on a real Envoy [KEEP=1]
	$(call say,the labs$(,) one by one)
	@$(call with_tools,) $(LAB) demo

.PHONY: up
up: optimize python ## Start httpbin and Envoy with every filter
	@$(call with_tools,) $(LAB) up

.PHONY: down
down: cargo ## End what `up` started
	@$(LAB) down

.PHONY: validate
validate: optimize ## Check configurations against the modules: FILE="a.yaml b.json" [FILTER=name]
	@test -n "$(FILE)" || { echo "error: make validate needs FILE, as in: make validate FILE=istio/redaction.yaml" >&2; exit 2; }
	@$(CARGO) run --quiet --package meshloom-cli -- validate $(addprefix --filter ,$(FILTER)) $(FILE)

.PHONY: bench
bench: optimize python ## Measure decisions, modules, what is found, the agent, and the cost in Envoy, into bench/results/
	$(call say,measuring the decisions and the modules)
	@$(CARGO) bench --package meshloom-bench
	$(call say,what redaction finds$(,) and what it does not)
	@$(CARGO) test --quiet --package redaction --test quality -- --nocapture
	$(call say,measuring the cost in Envoy)
	@$(call with_tools,$(firstword $(ENVOYS))) $(CARGO) run --quiet --profile bench --package meshloom-bench --bin cost-table
	@$(MAKE) bench-redaction bench-agent

.PHONY: bench-redaction
bench-redaction: optimize # How fast redaction is, what it finds and what it holds, beside Presidio.
	$(call say,measuring redaction)
	@presidio=$$(scripts/tool.sh presidio) || test $$? -eq 3; PRESIDIO_PYTHON=$$presidio filters/redaction/benches/record.py

.PHONY: test-large
test-large: optimize python # Bodies of gigabytes, in the harness and in Envoy, and what they hold of memory.
	$(call say,testing with large bodies)
	@$(CARGO) test --quiet --workspace --test wasm -- --ignored of_ten_gigabytes
	@$(call with_tools,$(firstword $(ENVOYS))) $(CARGO) test --quiet --workspace --test envoy -- --ignored of_a_gigabyte

.PHONY: bench-agent
bench-agent: cargo ## Measure what the agent costs, and hold it to its goals
	$(call say,measuring the agent)
	@$(CARGO) bench --package meshloom-agent

.PHONY: test-bench
test-bench: optimize python # The cost table, briefly: that it can be made, and proves what it measures.
	$(call say,testing the cost table)
	@$(call with_tools,$(firstword $(ENVOYS))) $(CARGO) run --quiet --package meshloom-bench --bin cost-table -- --quick

.PHONY: fuzz
fuzz: cargo ## Run fuzz targets, each for FUZZ_SECONDS=600 [FUZZ=filters/redaction/fuzz/body]
	$(call say,fuzzing)
	@scripts/fuzz.sh $(FUZZ)

.PHONY: dashboard
dashboard: cargo ## Write the Grafana dashboard and the list in docs/metrics.md from metrics/queries.yaml
	@$(CARGO) run --quiet --package meshloom-metrics -- dashboard

.PHONY: plots
plots: optimize python ## Plot into docs/metrics/ what a real Prometheus answers of two minutes of load
	$(call say,putting Envoy under load)
	@scripts/tool.sh prometheus >/dev/null || $(call missing,prometheus,without it there is nothing to plot)
	@$(call with_tools,$(firstword $(ENVOYS))) $(CARGO) run --quiet --package meshloom-metrics -- plots

.PHONY: push
push: ## Push modules as OCI artifacts: REG=ghcr.io ORG=you TAG=v1 [FILTER=name]
	@test -n "$(REG)" -a -n "$(ORG)" -a -n "$(TAG)" || { \
		echo "error: make push needs REG, ORG and TAG, as in: make push REG=ghcr.io ORG=you TAG=v0.1.0" >&2; exit 2; }
	@$(MAKE) optimize
	@oras=$$(scripts/tool.sh oras) || $(call missing,oras,install it$(,) or Go to build it); \
		ORAS=$$oras $(SHIP) push --registry "$(REG)" --org "$(ORG)" --tag "$(TAG)" $(addprefix --filter ,$(FILTER))

.PHONY: new-filter
new-filter: ## Make a filter from the template: NAME=two-words
	@scripts/new-filter.sh "$(NAME)"

# A comma, for arguments of `call`.
, := ,
