# Haechi. `make help` lists the targets; variables that they take stand above them.

GO ?= go
TOOL = $(GO) tool -modfile=internal/tools/go.mod
LINT = $(GO) tool -modfile=internal/lint/go.mod golangci-lint

# Tests and benchmarks load LightGBM from here.
HAECHI_LIGHTGBM ?= $(CURDIR)/lib/lightgbm/lib_lightgbm.so
test unit data bench soak: export HAECHI_LIGHTGBM := $(HAECHI_LIGHTGBM)

.DEFAULT_GOAL := help
.NOTPARALLEL:
.PHONY: help build lightgbm spark demo test unit data lint lint-go lint-proto breaking generate generated bench soak clean \
	prerequisites test-needs protos

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

build: prerequisites ## build bin/haechi
	$(GO) build -o bin/haechi ./cmd/haechi

lightgbm: ## put LightGBM's library into lib/lightgbm, from its pinned wheel
	@internal/lightgbmwheel/install.sh lib/lightgbm

spark: ## put Spark into lib/spark, for the tests alone; needs Java
	@internal/offline/sparktest/install.sh lib/spark

# DEMO_FLAGS=--exit ends the demo by itself.
DEMO_FLAGS ?=
demo: lightgbm build ## show it all on a simulated world: import, train, serve, judge a stream of payments
	bin/haechi demo $(DEMO_FLAGS)

# The one test command. Every check runs, whatever the ones before it found; go test's own lines come last.
test: prerequisites test-needs lightgbm spark ## check everything: lint, generated code, unit tests under the race detector
	@failed=; for check in lint-proto lint-go generated unit data; do \
		$(MAKE) --no-print-directory $$check || failed="$$failed $$check"; \
	done; [ -z "$$failed" ] || { echo "failed:$$failed" >&2; exit 1; }

# PKG=./features/... narrows it down.
PKG ?= ./...
TEST_FLAGS ?=
unit: ## run the unit tests alone, under the race detector
	$(GO) test -race -timeout 20m $(TEST_FLAGS) $(PKG)

data: ## run without the race detector the tests over the whole of the shared data, and those of allocations
	$(GO) test -timeout 20m -run 'Handbook|DoNotAllocate|DoesNotAllocate' ./features ./internal/app ./internal/ingest ./internal/offline

lint: lint-proto lint-go ## check style: Go code and protos

lint-go:
	$(LINT) run ./...

lint-proto: protos
	$(TOOL) buf lint

# BASE is the commit whose protos must still be understood.
BASE ?= main
breaking: protos ## compare the protos with those of BASE: no caller and no log record may break
	@internal/tools/breaking.sh $(BASE)

generate: protos ## make the code and the OpenAPI document from the protos
	$(TOOL) buf generate
	$(TOOL) buf generate --template proto/haechi/v1/openapi/buf.gen.yaml

generated: protos ## check that generated code is up to date
	@internal/tools/generated.sh

BENCH_FLAGS ?=
bench: build lightgbm ## run the benchmarks: Go's, then the serving path beside a bare gRPC echo
	$(GO) test -run '^$$' -bench . -benchmem $(PKG)
	bin/haechi bench serve $(BENCH_FLAGS)

# SOAK_CHECKS histories of each property take hours, SOAK_VALUES values some minutes.
SOAK_FLAGS ?= --soak 5m
SOAK_VALUES ?= 10000000
SOAK_CHECKS ?= 200000
soak: build lightgbm ## for hours: memory under load, parity after kills, random histories against the oracle
	bin/haechi bench serve $(SOAK_FLAGS)
	HAECHI_SOAK_VALUES=$(SOAK_VALUES) $(GO) test ./internal/app -run TestKilledServer -v -timeout 0
	$(GO) test ./features -run EqualsOracle -rapid.checks=$(SOAK_CHECKS) -timeout 0

clean: ## remove what was built and fetched into this folder
	rm -rf bin lib demo .cache

prerequisites:
	@GO="$(GO)" internal/tools/prerequisites.sh

test-needs:
	@internal/tools/testneeds.sh

protos:
	@internal/tools/protos/stage.sh .cache/protos
