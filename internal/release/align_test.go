package release

import (
	"strings"
	"testing"
)

// behind is an app whose prod was given sha-3 by a commit, while dev stayed on
// sha-2, which prod had before.
func behind() (s State, dev, prod History, ask AlignAsk) {
	s = shop()
	s.Layers.Prod.Tag = "sha-3"
	s.Prod = runs(flow.Prod, "sha-3")
	return s, lived("sha-1 sha-2"), lived("sha-1 sha-2 sha-3"), AlignAsk{To: "sha-3", Mode: AlignWhenBehind}
}

func TestAlign(t *testing.T) {
	s, dev, prod, ask := behind()
	plan, no := Align(s, dev, prod, ask)
	if no != nil {
		t.Fatal(no)
	}
	if plan.Environment.Name != "dev" || plan.Path != "deploy/env/release-dev/shop.yaml" || plan.From != "sha-2" || plan.To != "sha-3" || plan.Repository != image || plan.Ask != "" {
		t.Errorf("plan = %+v", plan)
	}
}

// A prune leaves Okteto's marks for good; they do not keep dev from following.
func TestAlignPastLeftoverMarks(t *testing.T) {
	s, dev, prod, ask := behind()
	s.Dev.Live.Workloads[0].Marked = true
	if plan, no := Align(s, dev, prod, ask); no != nil || plan.To != ask.To {
		t.Errorf("plan = %+v, refusal %v", plan, no)
	}
}

func TestAlignRefuses(t *testing.T) {
	type part struct {
		s         *State
		dev, prod *History
		ask       *AlignAsk
	}
	hold := &Hold{App: "shop", Reason: "prod was rolled back from sha-3 to sha-1"}
	ahead := func(p part) { *p.dev = lived("sha-1 sha-3 sha-2") }
	for _, c := range []struct {
		name    string
		change  func(part)
		code    Code
		say     string // a part of the sentences
		passing bool
		always  bool // also with align: always
	}{
		{"never", func(p part) { p.ask.Mode = AlignNever }, CodeAlignOff, "`align` is `never`", false, false},
		{"no mode", func(p part) { p.ask.Mode = "" }, CodeAlignOff, "not made to follow", false, false},
		{"prod moved on", func(p part) { p.s.Layers.Prod.Tag = "sha-4" }, CodeMoved, "In `shop`, prod has `sha-4` by now", false, true},
		{"equal", func(p part) { p.s.Layers.Dev.Tag = "sha-3" }, CodeAtBaseline, "has `sha-3` already", false, true},
		{"dev moved while it was read", func(p part) { *p.dev = lived("sha-1 sha-2 sha-9") }, CodeBranchMoved, "moved while", true, true},
		{"prod moved while it was read", func(p part) { *p.prod = lived("sha-1 sha-2 sha-3 sha-9") }, CodeBranchMoved, "moved while", true, true},
		{"layer not editable", func(p part) { p.s.Layers.Dev.Flaw = &Flaw{"image.tag is an alias", 4} }, CodeNotEditable, "alias", false, true},
		{"digest", func(p part) { p.s.Layers.Dev.Digest = "sha256:abc" }, CodeDigest, "would change nothing", false, true},
		{"ahead", ahead, CodeDevAhead, "left alone on `sha-2`: it was set there after `sha-3` was. To put it on prod's release: `/reset-dev shop`.", false, false},
		{"unrelated", func(p part) { *p.prod = lived("sha-1 sha-3") }, CodeDevUnrelated, "`/reset-dev shop`", false, false},
		{"history too short", func(p part) { *p.dev = short(*p.dev, 1) }, CodeHistoryUnknown, "`/reset-dev shop`", false, false},
		{"held", func(p part) { p.ask.Hold = hold }, CodeHeld, "rolled back from sha-3 to sha-1", true, true},
		{"ahead and held and hot", func(p part) { ahead(p); p.ask.Hold = hold; p.s.Dev.Live.Session = &Session{} }, CodeDevAhead, "", false, false},
		{"held and hot", func(p part) { p.ask.Hold = hold; p.s.Dev.Live.Session = &Session{} }, CodeHeld, "", true, true},
		{"live session", func(p part) { p.s.Dev.Live.Session = &Session{Workload: "shop-okteto"} }, CodeDevHot, "live session on `shop-okteto`", true, true},
		{"drift", func(p part) { p.s.Dev.Snapshot.Sync = "OutOfSync" }, CodeDevHot, "it is OutOfSync", true, true},
		{"drift that the comparison ignores", func(p part) { p.s.Dev = runs(flow.Dev, "sha-7") }, CodeDevHot, "does not run that", true, true},
		{"cluster cannot be asked", func(p part) { p.s.Dev.Live = Live{Problem: "forbidden"} }, CodeDevUnknown, "forbidden", true, true},
		{"no workload known", func(p part) { p.s.Dev.Live = Live{} }, CodeDevHot, "none of its workloads", true, true},
		{"dev unreachable", func(p part) { p.s.Dev.Problem = Refuse(CodeArgoUnreachable, "", "Argo CD cannot be asked.") }, CodeDevUnknown, "is not known: Argo CD cannot be asked.", true, true},
		{"dev elsewhere", func(p part) { p.s.Dev.Follows = nil }, CodeElsewhere, "does not deploy", false, true},
	} {
		for _, always := range []bool{false, true} {
			t.Run(c.name, func(t *testing.T) {
				s, dev, prod, ask := behind()
				if always {
					ask.Mode = AlignAlways
				}
				c.change(part{&s, &dev, &prod, &ask})
				plan, no := Align(s, dev, prod, ask)
				switch {
				case always && !c.always:
					if c.code != CodeAlignOff && no != nil && no.Code == c.code {
						t.Errorf("refused although always: %v", no)
					}
				case no == nil:
					t.Fatalf("plan = %+v", plan)
				case no.Code != c.code || !strings.Contains(no.Say+" "+no.Do, c.say) || no.Code.Passing() != c.passing || strings.Contains(no.Say, "ˋ"):
					t.Errorf("%v %s; passing %v", no, no.Do, no.Code.Passing())
				}
			})
		}
	}
}

// With align: always, dev follows wherever it stands.
func TestAlignAlways(t *testing.T) {
	for _, history := range []string{"sha-3 sha-2", "x sha-2", "- sha-2"} {
		s, _, prod, ask := behind()
		ask.Mode = AlignAlways
		if plan, no := Align(s, lived(history), prod, ask); no != nil || plan.To != "sha-3" {
			t.Errorf("%s: %v", history, no)
		}
	}
}

// A dev that is merely unwell, or at a sync, is not hot: a new release may help it.
func TestAlignUnwell(t *testing.T) {
	s, dev, prod, ask := behind()
	s.Dev.Snapshot.Health = "Degraded"
	s.Dev.Snapshot.Sync, s.Dev.Snapshot.Requested = "OutOfSync", &SyncRequest{}
	if _, no := Align(s, dev, prod, ask); no != nil {
		t.Error(no)
	}
}
