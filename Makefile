.DEFAULT_GOAL := help
.PHONY: help run playground test race generate lint bench bench-http bench-streams bench-signin bench-ingest bench-month chaos fuzz build examples clients

# The race detector. SQLite, which is C made into Go, touches memory and does arithmetic with pointers by the million. That
# each points into its own object is not checked there, in its C library and in its allocator, and the three are not
# watched: this took more than half of the processor time of tests on it, and is not about our code. The locks that they take are
# Go's, which tell the race detector themselves who comes after whom. SQLite's driver and everything else are watched.
UNWATCHED = -d=checkptr=0 -race=false
RACE = -race '-gcflags=modernc.org/sqlite/lib=$(UNWATCHED)' '-gcflags=modernc.org/libc/...=$(UNWATCHED)' '-gcflags=modernc.org/memory=$(UNWATCHED)'

help: ## Show this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 12

run: ## Serve with everything embedded
	go run .

playground: ## Build GraphiQL into the server; needs Node 20 or newer
	cd web/playground && npm ci && npm run build

test: ## Run the tests
	go test ./...

race: ## Run the tests with the race detector, PostgreSQL and Redis required
	KYRO_TEST_REQUIRE=postgres,redis go test $(RACE) ./...

generate: ## Make the generated code anew
	go generate ./...

lint: ## Check formatting, vet and staticcheck, and the contract against the last commit
	@unformatted=$$(gofmt -l $$(git ls-files '*.go' | grep -v '\.generated\.go$$')); \
	  [ -z "$$unformatted" ] || { echo "not gofmt'ed: $$unformatted"; exit 1; }
	go vet ./...
	go tool staticcheck ./...
	go run ./internal/schemacheck

bench: ## Run the Go benchmarks of the hot paths
	go test -run '^$$' -bench . -benchmem ./text ./ingest/chunk ./store ./ai ./graph ./live

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

build: ## Build the binary
	CGO_ENABLED=0 go build -trimpath -o kyrochat .

examples: build ## Build the example apps and drive them in Chromium
	cd examples && npm ci && npm run build && KYRO_BINARY=$(CURDIR)/kyrochat npm run check

clients: build ## Try the server with GraphQL clients from npm
	cd internal/clients && npm ci && KYRO_BINARY=$(CURDIR)/kyrochat npm test
