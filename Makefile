# make test    the tests, seconds when warm
# make check   all that must hold before a commit: test and lint
# make race    the tests under the race detector
# make e2e     the bot against a real Kubernetes control plane and a real Argo CD
# make golden  rewrites the golden cards; review the diff as text
# make fuzz    every fuzz target, a minute each

GO   ?= go
TOOL  = $(GO) tool -modfile=tools.mod

.PHONY: test check lint vuln race e2e golden fuzz

# Most tests wait for something, so more of them than there are cores run at once.
test:
	$(GO) test -parallel 4 ./...

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

race:
	$(GO) test -race -parallel 4 ./...

e2e:
	cd e2e && $(GO) run ./cmd/build-tools && $(GO) test -count=1 -v -parallel 8 -timeout 30m ./...

golden:
	$(GO) test ./internal/slackui/... -update

fuzz:
	@for line in $$(grep -rl --include='*_test.go' '^func Fuzz' internal cmd); do \
		for target in $$(sed -n 's/^func \(Fuzz[A-Za-z0-9_]*\)(.*/\1/p' $$line); do \
			$(GO) test ./$$(dirname $$line) -run '^$$' -fuzz "^$$target\$$" -fuzztime 60s || exit 1; \
		done; \
	done
