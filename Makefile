# Targets for people. CI runs .ci/run, which is "make test".

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

GO ?= go
VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)
LDFLAGS := -s -w -X github.com/hadronhq/hadron/internal/app.Version=$(VERSION)

# What is concurrent and quick is always tested with the race detector, which
# needs a C compiler; without one it is tested like the rest.
RACE_PACKAGES := /internal/(api|auth|awsjson|bucketstore|control|engine|provision)(/|$$)
RACE := $(shell command -v "$$($(GO) env CC)" >/dev/null && [ "$$($(GO) env CGO_ENABLED)" = 1 ] && echo -race)

.PHONY: help
help: ## List the targets
	@awk -F ':.*## ' '/^[a-z][a-z0-9-]*:.*## / { printf "  %-14s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: build
build: ## Build bin/hadron
	CGO_ENABLED=0 $(GO) build -trimpath -ldflags '$(LDFLAGS)' -o bin/hadron ./cmd/hadron

.PHONY: quickstart
quickstart: build ## Deploy a service on this machine; ARGS=--exit ends when it is done
	bin/hadron quickstart $(ARGS)

.PHONY: test
test: tools check test-core test-git test-engines test-containers test-sdk test-crash ## All that CI runs (what cannot be installed is skipped, in CI a failure)
	@$(MAKE) --no-print-directory -j3 test-browser test-clients test-jinja # which mostly wait, but for the last

.PHONY: test-core
test-core: ## Tests of the product alone; needs only Go
	$(GO) test $$($(GO) list ./... | grep -v -e /test/ | grep -v -E '$(RACE_PACKAGES)')
	$(GO) test $(RACE) $$($(GO) list ./... | grep -E '$(RACE_PACKAGES)')

.PHONY: test-postgres
test-postgres: ## The server's tests once more, on PostgreSQL, which it installs if it can
	HADRON_TEST_DATABASE=postgres $(GO) test -count=1 ./internal/app ./internal/bucketstore

.PHONY: test-crash
test-crash: ## Kill servers for seconds, at commits and at any time, on SQLite and PostgreSQL
	$(GO) test -count=1 -run '^Test(KilledServers|WhatHadEnded|SecondNode)' ./test/crash

.PHONY: test-faults
test-faults: ## All faults for seconds each: also freeze servers, restart databases, cut connections, set clocks; not part of "make test"
	$(GO) test -count=1 ./test/crash

CRASH_TIME ?= 1h
CRASH_KILLS ?= 5000

.PHONY: crash
crash: ## Kill servers on each database CRASH_KILLS (5000) times, but not for longer than CRASH_TIME (1h), freeze and cut off others, and count what was lost
	HADRON_CRASH=$(CRASH_TIME) HADRON_CRASH_KILLS=$(CRASH_KILLS) $(GO) test -count=1 -v -timeout 24h ./test/crash

.PHONY: test-race
test-race: ## The product's tests, all with the race detector (slow)
	$(GO) test -race $$($(GO) list ./... | grep -v -e /test/)

.PHONY: test-engines
test-engines: ## The built program with OpenTofu, a scripted CloudFormation and moto ("make tools")
	$(GO) test -count=1 -parallel 8 ./test/engines

.PHONY: test-git
test-git: ## Pull requests on a real Gitea, which it builds in .tools (minutes, the first time)
	@if gitea=$$(./scripts/setup-gitea.sh); then \
	  HADRON_GITEA=$$gitea $(GO) test -count=1 -run 'Gitea|PullRequest' ./internal/forge ./internal/app ./test/conformance; \
	elif [ "$${CI:-}" = true ]; then echo "Gitea cannot be built"; exit 1; \
	else echo "skipped: TestPullRequestsOnARealGitea and the like, because Gitea cannot be built"; fi

.PHONY: test-containers
test-containers: ## Commands in real containers, of Podman, which it installs if it can
	@if container=$$(./scripts/setup-container.sh); then \
	  HADRON_CONTAINER=$$(echo $$container) $(GO) test -count=1 -run Container ./internal/engine/command; \
	elif [ "$${CI:-}" = true ]; then echo "Podman cannot be set up"; exit 1; \
	else echo "skipped: TestDriverConformsInContainers and the like, because Podman cannot be set up"; fi

.PHONY: test-browser
test-browser: ## The console in a real browser, which it installs if it can
	$(GO) test -count=1 -v ./test/browser

.PHONY: test-sdk
test-sdk: ## The built program against the AWS SDK for Go
	cd test/conformance/gosdk && $(GO) test -count=1 ./...

.PHONY: test-clients
test-clients: ## The built program against boto3, the AWS CLI and the AWS SDK for JavaScript, which it installs in .tools
	$(GO) test -count=1 -v ./test/conformance/...

.PHONY: test-more-clients
test-more-clients: ## The built program against the AWS SDKs for Java v2 and Rust, which it installs in .tools; not part of "make test"
	HADRON_MORE_CLIENTS=1 $(GO) test -count=1 -v -run '^TestStoriesOfMoreClients$$' ./test/conformance

.PHONY: test-chart
test-chart: ## Lint the Helm chart with Helm, which it builds in .tools (minutes, the first time); not part of "make test"
	HADRON_HELM=$$(./scripts/setup-helm.sh) $(GO) test -count=1 -v -run '^TestHelmLintsTheChart$$' ./internal/app

JINJA_TIME ?= 2m
# The same templates each time, so that a change alone can fail; empty for others.
JINJA_SEED ?= 1

.PHONY: test-jinja
test-jinja: ## Random templates against Python's Jinja2, for JINJA_TIME (2m)
	@if python=$$(./scripts/setup-python-clients.sh)/python3 && $$python -c 'import jinja2'; then \
	  HADRON_JINJA_PYTHON=$$python HADRON_JINJA_DIFF=$(JINJA_TIME) HADRON_JINJA_SEED=$(JINJA_SEED) nice $(GO) test -count=1 -v -run "AsPython|AsInPython" -timeout 2h ./internal/jinja; \
	elif [ "$${CI:-}" = true ]; then echo "Python's Jinja2 cannot be set up"; exit 1; \
	else echo "skipped: TestSameAsPython, because Python's Jinja2 cannot be set up"; fi

.PHONY: check
check: ## Formatting, go vet, licences, and whether generated files are up to date
	@unformatted=$$(gofmt -l $$(git ls-files '*.go')); \
	if [ -n "$$unformatted" ]; then echo "not formatted by gofmt:"; echo "$$unformatted"; exit 1; fi
	$(GO) vet ./...
	cd test/conformance/gosdk && $(GO) vet ./...
	$(GO) test -run TestGeneratedFilesAreUpToDate ./internal/gen
	@before=$$(cat internal/console/*_templ.go | sha256sum); $(TEMPL) generate -path internal/console -log-level error >/dev/null 2>&1; \
	if [ "$$before" != "$$(cat internal/console/*_templ.go | sha256sum)" ]; then echo "internal/console: the pages were not generated anew; run make generate"; exit 1; fi

	@./scripts/licences.sh check
	@$(MAKE) --no-print-directory vulncheck

# Pinned; it needs Go's vulnerability database.
GOVULNCHECK := $(GO) run golang.org/x/vuln/cmd/govulncheck@v1.1.4

.PHONY: vulncheck
vulncheck: ## Look for known vulnerabilities in what the program calls, where their database can be had
	@said=$$($(GOVULNCHECK) ./internal/linediff 2>&1) || case "$$said" in *"fetching vulnerabilities"*) \
	  echo "skipped: vulncheck, because the database of vulnerabilities cannot be reached"; exit 0 ;; esac; \
	$(GOVULNCHECK) ./...

# Not a dependency of the product: it only writes the console's _templ.go files.
TEMPL := $(GO) run github.com/a-h/templ/cmd/templ@v0.3.977

.PHONY: generate
generate: ## Write the API contract, the compatibility table and the console's pages anew
	$(GO) run ./internal/gen
	$(TEMPL) generate -path internal/console -log-level warn

.PHONY: tools
tools: ## Install what tests drive into .tools: Python clients, moto, OpenTofu
	@for script in python-clients moto opentofu; do \
	  ./scripts/setup-$$script.sh || [ "$${CI:-}" != true ] || exit 1; \
	done

.PHONY: release
release: ## Build dist/ for all platforms: programs, checksums, SBOMs, licences
	./scripts/release.sh

.PHONY: bench
bench: ## Measure, print a table and write bench/results.json
	@for program in ./bench/*/main.go; do $(GO) run "$${program%main.go}" -out bench/results.json; done

FUZZTIME ?= 10s

.PHONY: fuzz
fuzz: ## Fuzz every target for FUZZTIME (10s)
	@for package in $$($(GO) list ./internal/...); do \
	  for target in $$($(GO) test -list '^Fuzz' $$package | grep '^Fuzz' || true); do \
	    echo "$$package $$target"; \
	    $(GO) test -run '^$$' -fuzz "^$$target\$$" -fuzztime $(FUZZTIME) $$package; \
	  done; \
	done

.PHONY: clean
clean: ## Remove what was built and installed here; hadron-data stays
	rm -rf bin dist .tools
