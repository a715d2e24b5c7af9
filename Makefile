# Gatehouse: `make run` serves the demo, `make test` runs every test, `make help` lists the rest.

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

# Where the checkout belongs to someone else, git refuses to tell Go its revision and the build would fail.
# The tags are xcaddy's: they leave out databases that Caddy links and does not use.
export GOFLAGS := $(strip $(GOFLAGS) -buildvcs=false -tags=nobadger,nomysql,nopgx)

# Test vectors that lie beside the checkout in some set-ups; the tests skip, loudly, without them.
VECTORS := $(wildcard ../shared/vectors)
ifneq ($(VECTORS),)
export GATEHOUSE_VECTORS ?= $(abspath $(VECTORS))
endif

# Elsewhere than on Debian: CHROMIUM=/path/to/chrome make test
TEST_NEEDS := node npm nginx redis-server $(if $(CHROMIUM),,chromium)

# The race detector needs a C compiler.
RACE := $(if $(shell command -v $${CC:-gcc}),-race)

say = @printf '== %s\n' "$(1)"

.PHONY: help
help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-11s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: run
run: bin/caddy-dev demo-packages ## serve Caddyfile.example: gateway, single-page app, API and a site on localhost
	@exec .ci/demo bin/caddy-dev

.PHONY: test
test: need-go bin/caddy-dev ## run all tests; installs what they need
	$(call say,Programs and packages for the tests)
	@.ci/need $(TEST_NEEDS)
	@npm ci --silent --prefix e2e
	@npm ci --silent --prefix examples/spa
	$(call say,Go tests)
	GATEHOUSE_CADDY=$(CURDIR)/bin/caddy-dev go test $(RACE) -p 3 -timeout 20m ./...
	$(call say,Browser and SDK tests)
	GATEHOUSE_CADDY=$(CURDIR)/bin/caddy-dev npm test --silent --prefix e2e

.PHONY: clients
clients: need-go bin/caddy-dev ## sign in and call an API with every program in e2e/clients that this machine can run
	@.ci/need node npm $(if $(CHROMIUM),,chromium)
	@npm ci --silent --prefix e2e
	@GATEHOUSE_CADDY=$(CURDIR)/bin/caddy-dev node e2e/clients/run.mjs $(CLIENTS)

.PHONY: providers
providers: need-go bin/caddy-dev ## sign in at the identity providers in e2e/providers that this machine can run
	@.ci/need node npm $(if $(CHROMIUM),,chromium)
	@npm ci --silent --prefix e2e
	@GATEHOUSE_CADDY=$(CURDIR)/bin/caddy-dev node e2e/providers/run.mjs

.PHONY: check
check: need-go ## the fast loop: format, vet, lint, short tests
	$(call say,Format)
	@files=$$(gofmt -l .); [ -z "$$files" ] || { echo "gofmt would change:"; echo "$$files"; exit 1; }
	$(call say,Vet and lint)
	@go vet ./...
	@$(MAKE) lint
	$(call say,Short tests)
	@go test -short ./...

.PHONY: lint
lint: ## golangci-lint with .golangci.yml
	@.ci/golangci-lint run --allow-parallel-runners ./...

.PHONY: build
build: need-go ## build bin/caddy with xcaddy, as xcaddy.json says
	$(call say,Building bin/caddy from xcaddy.json)
	@mkdir -p bin
	@go run -modfile=.ci/tools.mod ./.ci/xcaddy xcaddy.json bin/caddy
	@bin/caddy version

FUZZTIME ?= 1m
.PHONY: fuzz
fuzz: need-go ## every fuzz target for FUZZTIME (1m)
	@.ci/fuzz $(FUZZTIME) . caddymodule handler tokens

BENCH ?= -seconds 4 -rounds 3
.PHONY: bench
bench: need-go bin/caddy-dev ## measure guarded routes and rotations beside their baselines; keep the machine quiet
	@.ci/need wrk
	@go run ./bench -caddy bin/caddy-dev $(BENCH)
	@go test -run '^$$' -bench 'Verify|Verdict|InUse|MAC|Rotate|Denials' -benchmem ./tokens ./tokens/verify ./tokens/secrets ./tokens/boltstore

.PHONY: screenshots
screenshots: need-go bin/caddy-dev ## pictures of the pages, into docs/pages
	@.ci/need node npm $(if $(CHROMIUM),,chromium)
	@fc-list :lang=ja 2>/dev/null | grep -q . || { echo "Missing: a Japanese font. Debian, Ubuntu: sudo apt-get install fonts-ipafont-gothic" >&2; exit 1; }
	@npm ci --silent --prefix e2e
	@GATEHOUSE_CADDY=$(CURDIR)/bin/caddy-dev node e2e/screenshots.mjs
	@du -sh docs/pages

SOAK ?= 10m
.PHONY: soak
soak: need-go bin/caddy-dev ## two nodes, mixed load, reloads and failovers of Redis for SOAK (10m); then every promise is checked
	@.ci/need redis-server
	@GATEHOUSE_CADDY=$(CURDIR)/bin/caddy-dev go test ./e2e/nodes -run '^TestSoak$$' -v -timeout 0 -soak $(SOAK)

.PHONY: clean
clean: ## remove what the other targets made, the demo's state too
	rm -rf bin .cache .demo e2e/screenshots e2e/node_modules e2e/clients/*/node_modules e2e/clients/*/.built e2e/clients/*/.venv e2e/clients/*/target e2e/providers/*/target examples/spa/node_modules

# Go knows best what is out of date. The flags are xcaddy's, so that both builds share their packages.
.PHONY: bin/caddy-dev
bin/caddy-dev: need-go
	$(call say,Building bin/caddy-dev)
	@mkdir -p bin
	@CGO_ENABLED=0 go build -trimpath -o $@ ./e2e/caddy

.PHONY: need-go
need-go:
	@command -v go >/dev/null || { echo "Missing: go $$(awk '$$1 == "go" { print $$2 }' go.mod) or later, from https://go.dev/dl/" >&2; exit 1; }

.PHONY: demo-packages
demo-packages:
	@if command -v npm >/dev/null; then \
		npm ci --silent --prefix examples/spa; \
	else \
		echo "npm is missing, so the app at http://localhost:8081 will only say so; the gateway and the API run." >&2; \
		echo "Install Node.js (https://nodejs.org/) and run: npm ci --prefix examples/spa" >&2; \
	fi
