package release

import (
	"slices"
	"strings"
	"testing"
)

var flow = Environments{
	Dev:  Environment{Name: "dev", Layer: "deploy/env/release-dev/{app}.yaml", Values: "deploy/env/dev/{app}.yaml", Application: "web-{app}-dev"},
	Prod: Environment{Name: "prod", Layer: "deploy/env/release-prod/{app}.yaml", Values: "deploy/env/prod/{app}.yaml", Application: "web-{app}-prod"},
}

const image = "registry.synestra.io/web/shop"

// shop is an app whose dev has been verified on sha-2 while prod runs sha-1.
func shop() State {
	layer := func(env Environment, tag Tag) Layer {
		return Layer{Path: env.LayerPath("shop"), Blob: "blob-" + string(tag), Tag: tag, Settings: map[string]string{"image.repository": image}}
	}
	return State{
		Layers: Layers{App: "shop", Revision: "0123456789abcdef0123456789abcdef01234567", Dev: layer(flow.Dev, "sha-2"), Prod: layer(flow.Prod, "sha-1")},
		Dev:    runs(flow.Dev, "sha-2"), Prod: runs(flow.Prod, "sha-1"),
	}
}

func runs(env Environment, tag Tag) Running {
	return Running{
		Environment: env, Follows: []int{0},
		Snapshot: Snapshot{Name: env.ApplicationName("shop"), UID: env.Name, Sync: "Synced", Health: "Healthy", AutoSync: true},
		Live: Live{Workloads: []Workload{{
			Kind: "Deployment", Name: "shop", Generation: 3, Observed: 3, Desired: 2, Updated: 2, Ready: 2, Available: 2, Total: 2,
			Images: []string{image + ":" + string(tag)},
		}}},
	}
}

func TestPromote(t *testing.T) {
	plan, no := Promote(shop(), false)
	if no != nil {
		t.Fatal(no)
	}
	if plan.Path != "deploy/env/release-prod/shop.yaml" || plan.From != "sha-1" || plan.To != "sha-2" || plan.Repository != image || plan.Forced {
		t.Errorf("plan = %+v", plan)
	}
}

// A prune leaves Okteto's marks on the original, for good: they must not stand
// in the way of a release that the app's own pods run, all of them.
func TestPromotePastLeftoverMarks(t *testing.T) {
	s := shop()
	s.Dev.Live.Workloads[0].Marked = true
	plan, no := Promote(s, false)
	if no != nil || len(plan.Notes) != 1 || !strings.Contains(plan.Notes[0], "shop still has Okteto's marks") {
		t.Errorf("plan = %+v, refusal %v", plan, no)
	}
}

func TestPromoteRefuses(t *testing.T) {
	hidden := Refuse(CodeNotVisible, "", "The Argo CD Application `%s` cannot be seen.", "web-shop-dev")
	down := Refuse(CodeArgoUnreachable, "", "Argo CD cannot be asked at the moment.")
	for _, c := range []struct {
		name   string
		change func(*State)
		code   Code
		say    string // a part of the sentence
		force  bool   // --force passes it over
	}{
		{"no layer at all", func(s *State) { s.Layers.Dev.Missing, s.Layers.Prod.Missing = true, true }, CodeUnknownApp, "no app `shop`", false},
		{"in dev only", func(s *State) { s.Layers.Prod.Missing = true }, CodeOneEnvironment, "deploy/env/release-prod/shop.yaml", false},
		{"in prod only", func(s *State) { s.Layers.Dev.Missing = true }, CodeOneEnvironment, "deploy/env/release-dev/shop.yaml", false},
		{"flaw in prod's layer", func(s *State) { s.Layers.Prod.Flaw = &Flaw{"more than one document", 0} }, CodeNotEditable, "more than one document", false},
		{"flaw in dev's layer", func(s *State) { s.Layers.Dev.Flaw = &Flaw{"image.tag is an alias", 4} }, CodeNotEditable, "release-dev/shop.yaml:4", false},
		{"digest in prod", func(s *State) { s.Layers.Prod.Digest = "sha256:abc" }, CodeDigest, "would change nothing", false},
		{"prod hidden", func(s *State) { s.Prod.Problem = hidden }, CodeNotVisible, "cannot be seen", false},
		{"prod unreachable", func(s *State) { s.Prod.Problem = down }, CodeArgoUnreachable, "cannot be asked", false},
		{"prod deploys something else", func(s *State) { s.Prod.Follows = nil }, CodeElsewhere, "does not deploy", false},
		{"dev deploys something else", func(s *State) { s.Dev.Follows = nil }, CodeElsewhere, "does not deploy", false},
		{"same tag", func(s *State) { s.Layers.Dev.Tag = "sha-1" }, CodeAlreadyThere, "Prod of `shop` already runs `sha-1`", false},
		{"same tag, prod degraded", func(s *State) { s.Layers.Dev.Tag = "sha-1"; s.Prod.Snapshot.Health = "Degraded" }, CodeAlreadyThere, "but as for what runs, it is Degraded", false},
		{"same tag, prod runs another", func(s *State) { s.Layers.Dev.Tag = "sha-1"; s.Prod = runs(flow.Prod, "sha-0") }, CodeAlreadyThere, "does not run that yet", false},
		{"dev hidden", func(s *State) { s.Dev.Problem = hidden }, CodeNotVisible, "cannot be seen", false},
		{"dev unreachable", func(s *State) { s.Dev.Problem = down }, CodeDevUnknown, "is not known", true},
		{"dev's cluster cannot be asked", func(s *State) { s.Dev.Live = Live{Problem: "forbidden"} }, CodeDevUnknown, "forbidden", true},
		{"dev has a live session", func(s *State) { s.Dev.Live.Session = &Session{"shop-okteto", "okteto/node"} }, CodeDevHot, "live session on `shop-okteto`", true},
		{"dev drifted", func(s *State) {
			s.Dev.Snapshot.Sync = "OutOfSync"
			s.Dev.Snapshot.Resources = []Resource{{Kind: "Deployment", Name: "shop", Status: "OutOfSync"}}
		}, CodeDevHot, "OutOfSync: Deployment shop", true},
		{"dev's sync state unknown", func(s *State) { s.Dev.Snapshot.Sync = "Unknown" }, CodeDevHot, "it is Unknown", true},
		{"dev is syncing", func(s *State) {
			s.Dev.Snapshot.Sync = "OutOfSync"
			s.Dev.Snapshot.Requested = &SyncRequest{}
		}, CodeDevNotHealthy, "a sync is running", true},
		{"dev degraded", func(s *State) { s.Dev.Snapshot.Health = "Degraded" }, CodeDevNotHealthy, "it is Degraded", true},
		{"dev progressing", func(s *State) { s.Dev.Snapshot.Health = "Progressing" }, CodeDevNotHealthy, "it is Progressing", true},
		{"dev runs another tag still", func(s *State) { s.Dev = runs(flow.Dev, "sha-1") }, CodeDevNotHealthy, "Git says `sha-2`", true},
		{"dev's pods not complete", func(s *State) { s.Dev.Live.Workloads[0].Available = 1 }, CodeDevNotHealthy, "not complete", true},
		{"dev's workload not found", func(s *State) { s.Dev.Live.Workloads = nil }, CodeDevNotHealthy, "not known", true},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := shop()
			c.change(&s)
			plan, no := Promote(s, false)
			if no == nil {
				t.Fatalf("promoted: %+v", plan)
			}
			if no.Code != c.code || !strings.Contains(no.Say, c.say) {
				t.Errorf("refusal = %s: %s", no.Code, no.Say)
			}
			plan, no = Promote(s, true)
			if passed := no == nil; passed != c.force {
				t.Errorf("with --force: passed %v, refusal %v", passed, no)
			}
			if c.force && (!plan.Forced || len(plan.Notes) == 0 || !strings.Contains(plan.Notes[0], c.say)) {
				t.Errorf("a forced plan must say what was passed over: %+v", plan)
			}
		})
	}
}

func TestPromoteNamesDifferences(t *testing.T) {
	s := shop()
	s.Layers.Dev.Settings = map[string]string{"image.repository": "registry.synestra.io/web/shop-dev", "replicas": "1", "same": "x"}
	s.Layers.Prod.Settings = map[string]string{"image.repository": image, "same": "x", "extra": "y`"}
	s.Dev.Live.Workloads[0].Images = []string{"registry.synestra.io/web/shop-dev:sha-2"}
	plan, no := Promote(s, false)
	if no != nil {
		t.Fatal(no)
	}
	want := []string{
		"Not copied: `image.repository` is `registry.synestra.io/web/shop-dev` in dev and `" + image + "` in prod",
		"Not copied: `extra` is `` in dev and `yˋ` in prod",
		"Not copied: `replicas` is `1` in dev and `` in prod",
	}
	if !slices.Equal(plan.Notes, want) {
		t.Errorf("notes = %q", plan.Notes)
	}
}

func TestResetDev(t *testing.T) {
	equal := func(s *State) { s.Layers.Dev.Tag, s.Dev = "sha-1", runs(flow.Dev, "sha-1") }
	for _, c := range []struct {
		name   string
		change func(*State)
		code   Code // of the refusal, "" for a plan
		writes bool
		asks   string
	}{
		{"tags differ", func(*State) {}, "", true, ""},
		{"tags differ, dev degraded", func(s *State) { s.Dev.Snapshot.Health = "Degraded" }, "", true, ""},
		{"tags differ, live session", func(s *State) { s.Dev.Live.Session = &Session{"shop-okteto", "okteto/node"} }, "", true, "do not name the person"},
		{"tags differ, session unknown", func(s *State) { s.Dev.Live = Live{Problem: "forbidden"} }, "", true, "cannot be seen: forbidden"},
		{"tags differ, marks of a session", func(s *State) { s.Dev.Live.Workloads[0].Marked = true }, "", true, "There may be a live session"},
		{"marks of a session, tags equal", func(s *State) { equal(s); s.Dev.Live.Workloads[0].Marked = true }, CodeDevUnknown, false, ""},
		{"marks of a session and drift", func(s *State) {
			equal(s)
			s.Dev.Live.Workloads[0].Marked, s.Dev.Snapshot.Sync = true, "OutOfSync"
		}, "", false, "There may be a live session"},
		{"marks of a session and degraded", func(s *State) {
			equal(s)
			s.Dev.Live.Workloads[0].Marked, s.Dev.Snapshot.Health = true, "Degraded"
		}, CodeDevNotHealthy, false, ""},
		{"marks of a session and syncing", func(s *State) {
			equal(s)
			s.Dev.Live.Workloads[0].Marked, s.Dev.Snapshot.Operation = true, &SyncOperation{Phase: "Running"}
		}, CodeInProgress, false, ""},
		{"at the baseline", equal, CodeAtBaseline, false, ""},
		{"drift", func(s *State) { equal(s); s.Dev.Snapshot.Sync = "OutOfSync" }, "", false, ""},
		{"live session, tags equal", func(s *State) { equal(s); s.Dev.Live.Session = &Session{"shop-okteto", "okteto/node"} }, "", false, "shop-okteto"},
		{"runs another tag", func(s *State) { equal(s); s.Dev = runs(flow.Dev, "sha-9") }, "", false, ""},
		{"in sync and degraded", func(s *State) { equal(s); s.Dev.Snapshot.Health = "Degraded" }, CodeDevNotHealthy, false, ""},
		{"syncing already", func(s *State) { equal(s); s.Dev.Snapshot.Operation = &SyncOperation{Phase: "Running"} }, CodeInProgress, false, ""},
		{"argo cd unreachable", func(s *State) { s.Dev.Problem = Refuse(CodeArgoUnreachable, "", "down") }, CodeArgoUnreachable, false, ""},
		{"flaw", func(s *State) { s.Layers.Dev.Flaw = &Flaw{"duplicate key", 3} }, CodeNotEditable, false, ""},
		{"digest in dev", func(s *State) { s.Layers.Dev.Digest = "sha256:abc" }, CodeDigest, false, ""},
		{"prod's layer missing", func(s *State) { s.Layers.Prod.Missing = true }, CodeOneEnvironment, false, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := shop()
			c.change(&s)
			plan, no := ResetDev(s)
			if c.code != "" {
				if no == nil || no.Code != c.code {
					t.Fatalf("refusal = %v, plan = %+v", no, plan)
				}
				return
			}
			if no != nil {
				t.Fatal(no)
			}
			if plan.To != "sha-1" || plan.Environment.Name != "dev" || (plan.Path != "") != c.writes {
				t.Errorf("plan = %+v", plan)
			}
			if c.writes && plan.Path != "deploy/env/release-dev/shop.yaml" {
				t.Errorf("path = %s", plan.Path)
			}
			if (plan.Ask != "") != (c.asks != "") || !strings.Contains(plan.Ask, c.asks) {
				t.Errorf("ask = %q", plan.Ask)
			}
		})
	}
}
