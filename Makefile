.DEFAULT_GOAL := help
.PHONY: help run playground test race modules generate generated lint vuln cover mutants bench bench-http bench-streams bench-signin bench-ingest bench-month chaos fuzz build package image deploy-check check-playground examples clients release reproducible ci

# The race detector. SQLite, which is C made into Go, touches memory and does arithmetic with pointers by the million. That
# each points into its own object is not checked there, in its C library and in its allocator, and the three are not
# watched: this took more than half of the processor time of tests on it, and is not about our code. The locks that they take are
# Go's, which tell the race detector themselves who comes after whom. SQLite's driver and everything else are watched.
UNWATCHED = -d=checkptr=0 -race=false
RACE = -race '-gcflags=modernc.org/sqlite/lib=$(UNWATCHED)' '-gcflags=modernc.org/libc/...=$(UNWATCHED)' '-gcflags=modernc.org/memory=$(UNWATCHED)'

# Tools of development have modules of their own: what they need is no matter of the product.
TOOL = go tool -modfile=internal/tools
COVERED = $(shell paste -sd, .ci/covered)
REQUIRE = postgres,redis

help: ## Show this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 12

run: ## Serve with everything embedded
	go run .

playground: ## Build GraphiQL into the server; needs Node 20 or newer
	cd web/playground && npm ci && npm run build

test: ## Run the tests
	go test -timeout 60m ./...

race: ## Run the tests with the race detector, PostgreSQL and Redis required
	KYRO_TEST_REQUIRE=$(REQUIRE) go test -timeout 60m $(RACE) ./...

generate: ## Make the generated code anew
	go generate ./...

modules: ## Check the modules: their sums, and that what is required is used
	go mod verify
	go mod tidy -diff

generated: generate ## Check that generated code is as it is made
	git diff --exit-code -- graph docs/api.md go.mod go.sum

lint: ## Check formatting, golangci-lint with gosec and staticcheck, workflows, and the contract against the last commit or BASE
	@unformatted=$$(gofmt -l $$(git ls-files '*.go' | grep -v '\.generated\.go$$')); \
	  [ -z "$$unformatted" ] || { echo "not gofmt'ed: $$unformatted"; exit 1; }
	$(TOOL)/golangci-lint.mod golangci-lint run ./...
	$(TOOL)/actionlint.mod actionlint
	go run ./internal/schemacheck $(if $(BASE),-base $(BASE))

vuln: ## Look for known vulnerabilities in what is used; VULNDB=file:///folder where the public database cannot be reached
	$(TOOL)/govulncheck.mod govulncheck $(if $(VULNDB),-db $(VULNDB)) ./...

cover: ## Run the tests, and tell how much of the packages in .ci/covered they run; 90 % is the least
	KYRO_TEST_REQUIRE=$(REQUIRE) go test -timeout 60m -p 1 -coverpkg=$(COVERED) -coverprofile=cover.out ./...
	go run ./internal/coverage -least 90 cover.out

mutants: ## Change the code of kyro, auth and answer in small ways, and list the changes that no test of theirs notices; PACKAGES=kyro for some
	go run ./internal/mutants $(addprefix ./,$(patsubst ./%,%,$(or $(PACKAGES),kyro auth answer)))

bench: ## Run the Go benchmarks of the hot paths, and what metrics and traces cost (redis-server for those of two nodes)
	go test -run '^$$' -bench . -benchmem ./text ./ingest/chunk ./ingest/extract ./store ./ai ./answer ./auth ./graph ./live ./transport
	go test -run '^$$' -bench 'Measuring|Tracing' -benchtime 200x ./program

bench-http: ## Measure the server against handlers written by hand, some fifteen minutes (PostgreSQL required)
	go run ./bench

bench-streams: ## Measure many streams at once beside a plain relay, some half an hour (PostgreSQL required)
	go run ./bench -streams

bench-signin: ## Measure whether times tell which addresses have an account (PostgreSQL required)
	go run ./bench -signin

bench-ingest: ## Measure the reading of PDFs beside pdftotext and the cutting beside LangChain (poppler-utils, node, npm required)
	go run ./bench -ingest

bench-month: ## Compare all analytics of a simulated month with its rows, on both databases (PostgreSQL required)
	go run ./bench -month

chaos: ## Break a running installation in every way, shortly (PostgreSQL and Redis required)
	go run ./chaos

fuzz: ## Fuzz every parser for ten seconds; PACKAGES=./ingest/... for some
	.ci/fuzz $(PACKAGES)

build: ## Build the binary; VERSION=1.2.3 for a release
	CGO_ENABLED=0 go build -trimpath $(if $(VERSION),-ldflags "-X main.release=$(VERSION)") -o kyrochat .

package: build ## Make the packages for Debian and Red Hat in dist/
	deploy/package/build.sh kyrochat dist

image: build ## Make the container image kyrochat:latest of the binary (buildah required)
	deploy/container/build.sh kyrochat kyrochat:latest

deploy-check: ## Try units, image and manifests, and all of deployment.md on a clean Debian; some five minutes (root, debootstrap, systemd-nspawn, buildah, runc, shellcheck required)
	KYRO_TEST_REQUIRE=systemd-analyze,systemd-tmpfiles,shellcheck,buildah,runc go test -count=1 ./deploy
	cd deploy/package && go mod tidy -diff && go test -count=1 ./...
	go run ./deploy/cleanmachine

check-playground: web/playground/dist/index.html build ## Drive the playground and the pages of links in mails in Chromium
	cd web/playground && KYRO_BINARY=$(CURDIR)/kyrochat npm run check

web/playground/dist/index.html: $(wildcard web/playground/src/*) web/playground/build.mjs web/playground/package-lock.json
	$(MAKE) playground

examples: build ## Build the example apps and drive them in Chromium
	cd examples && npm ci && npm run build && KYRO_BINARY=$(CURDIR)/kyrochat npm run check

clients: build ## Try the server with GraphQL clients from npm
	cd internal/clients && npm ci && KYRO_BINARY=$(CURDIR)/kyrochat npm test

release: playground ## Build the archives, packages, lists of parts and checksums of a release into dist/
	.ci/release

reproducible: ## Build a release twice, playground and all, and compare the bytes
	.ci/reproducible

ci: ## Check everything as it is checked before a release, some three quarters of an hour on two processors
	.ci/run
