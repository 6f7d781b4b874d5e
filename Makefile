# Porchlight. `make demo` and `make test` are all that a fresh machine needs, beside Go.

VERSION := $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)
DIR     ?= screenshots
BUILD   := go build -ldflags "-s -w -X main.version=$(VERSION)"

.PHONY: all build wasm demo test lint bench pages lighthouse screenshots fuzz clean

all: build

wasm: ## build the check on the phone, which goes into bin/porchlight
	.ci/wasm

build: wasm ## build bin/porchlight and, where a C compiler is, the vision worker bin/porchlight-vision
	$(BUILD) -o bin/porchlight ./cmd/porchlight
	@if command -v "$$(go env CC)" >/dev/null; then CGO_ENABLED=1 $(BUILD) -o bin/porchlight-vision ./cmd/porchlight-vision; \
	else echo "no C compiler: bin/porchlight-vision, which reads house numbers, was not built" >&2; fi

demo: build ## start Porchlight with a drawn route and print the links
	bin/porchlight demo

test: ## all tests, with a real Postgres, S3 server and browser, which it installs where it may
	.ci/test

lint: ## formatting, vet, and the arrows between packages
	.ci/lint

bench: build ## speed: as ratios to the JPEG decoder's own, at the door, and under load
	.ci/bench

pages: wasm ## every page in a real browser: axe-core, 360 px, enlarged, in the dark
	PORCHLIGHT_TEST_PAGES=1 .ci/servers.sh go test -count=1 -timeout 60m -run 'InABrowser|AreSound|DriversDay|BrowserKilled' ./server

lighthouse: wasm ## Lighthouse's scores of the pages, 95 at least
	.ci/lighthouse

screenshots: wasm ## pictures of the pages, light and dark, on a phone and a desktop, into DIR (default screenshots)
	mkdir -p "$(DIR)"
	PORCHLIGHT_TEST_SCREENSHOTS="$(abspath $(DIR))" .ci/servers.sh go test -count=1 -timeout 30m -run 'PagesInABrowser|PagesAreSound' ./server

fuzz: ## every fuzz target for FUZZTIME (default 5m) each
	.ci/fuzz $(or $(FUZZTIME),5m)

clean:
	rm -rf bin
