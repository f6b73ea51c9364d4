# make test    the tests, seconds when warm
# make check   all that must hold before a commit: test and lint
# make race    the tests under the race detector
# make e2e     the bot against a real Kubernetes control plane and a real Argo CD 2.14
# make e2e-3.6 the same with Argo CD 3.6
# make e2e-rival  the bot and Argo CD's own notifications tell of the same updates, side by side
# make page    the sandbox's page in a real Chromium, by key and click; pictures in e2e/out
# make histories  10,000 random histories against the stand-ins, for the night; SEED=n runs them anew
# make golden  rewrites the golden cards; review the diff as text
# make fuzz    every fuzz target, a minute each

GO   ?= go
TOOL  = $(GO) tool -modfile=tools.mod

.PHONY: test check lint vuln race e2e e2e-3.6 e2e-rival page histories golden fuzz

# Most tests wait for something, so many of them run at once.
# Vet is lint's work. Three test binaries have Argo CD's libraries in them and
# are linked anew each time: Go's own linker takes half as long for them as the
# system's, which one of those libraries would have it call.
test:
	GOGC=400 $(GO) test -parallel 8 -vet=off -ldflags=-linkmode=internal ./...

check: test lint

lint:
	@unformatted=$$($(TOOL) gofumpt -l -extra cmd internal e2e); \
	if [ -n "$$unformatted" ]; then echo "not gofumpt'ed:"; echo "$$unformatted"; exit 1; fi
	$(GO) vet ./...
	$(TOOL) staticcheck ./...
	$(GO) mod tidy -diff
	cd e2e && $(GO) vet ./...

# Exit code 3 means findings; any other failure means that the vulnerability
# database could not be had, which is said and is no failure.
vuln:
	@$(TOOL) govulncheck ./...; code=$$?; \
	if [ $$code = 3 ]; then exit 3; fi; \
	if [ $$code != 0 ]; then echo "govulncheck: no result (exit code $$code), its database could not be had"; fi

# Under the race detector a history costs ten times as much.
race:
	$(GO) test -race -parallel 4 -skip '^TestHistories$$' ./...
	$(GO) test -race ./cmd/bot -run '^TestHistories$$' -histories 16 -apps 8

e2e:
	cd e2e && $(GO) run ./cmd/build-tools && $(GO) test -count=1 -v -parallel 8 -timeout 30m -skip '^TestSideBySide$$' $$($(GO) list ./... | grep -v /page$$)

e2e-3.6:
	E2E_ARGOCD=3.6 $(MAKE) e2e

e2e-rival:
	cd e2e && $(GO) run ./cmd/build-tools && $(GO) test -count=1 -v -timeout 30m -run '^TestSideBySide$$' .

# Without PAGE the test is skipped where there is no Chromium.
page:
	mkdir -p e2e/out && cd e2e && PAGE=1 $(GO) test -count=1 -v -artifacts -outputdir out ./page

SEED ?= $(shell date +%s)
histories:
	$(GO) test -vet=off -count=1 -v -parallel 2 -timeout 24h ./cmd/bot -run '^TestHistories$$' -histories 10000 -seed $(SEED)

golden:
	$(GO) test ./internal/slackui/... -update

fuzz:
	@for line in $$(grep -rl --include='*_test.go' '^func Fuzz' internal cmd); do \
		for target in $$(sed -n 's/^func \(Fuzz[A-Za-z0-9_]*\)(.*/\1/p' $$line); do \
			$(GO) test ./$$(dirname $$line) -run '^$$' -fuzz "^$$target\$$" -fuzztime 60s || exit 1; \
		done; \
	done
