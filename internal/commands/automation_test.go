package commands

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/synestra/promoter/internal/release"
)

// unasked is what automation sees: the commits of the layer it writes are those
// outside, the other layer stays on sha-2. Dev runs what its layer says.
type unasked struct {
	*link
	writes string // the environment that is written
	hot    bool   // dev has a live session
	git    error  // why the history cannot be read
}

func (u unasked) written() []commit {
	u.mu.Lock()
	defer u.mu.Unlock()
	return append([]commit(nil), u.commits...)
}

func (u unasked) tag(environment string) release.Tag {
	if all := u.written(); environment == u.writes {
		return all[len(all)-1].tag
	}
	return "sha-2"
}

func (u unasked) Apps(context.Context) ([]release.Presence, release.Revision, error) {
	return []release.Presence{{App: "shop", Dev: true, Prod: true}}, rev(1), nil
}

func (u unasked) Layers(context.Context, release.App) (release.Layers, error) {
	layer := func(environment string) release.Layer {
		return release.Layer{Path: "layer of " + environment, Tag: u.tag(environment), Settings: map[string]string{"image.repository": "web"}}
	}
	return release.Layers{App: "shop", Revision: rev(1), Dev: layer("dev"), Prod: layer("prod")}, nil
}

func (u unasked) History(_ context.Context, _ release.App, environment string, since release.Revision, most int) (release.History, error) {
	if since != "" || most != 0 {
		return release.History{}, errors.New("only a part of the history was asked for")
	}
	if u.git != nil {
		return release.History{}, u.git
	}
	var edits []release.Edit
	before := release.Tag("")
	tags := []release.Tag{"sha-1", "sha-2"}
	if environment == u.writes {
		tags = nil
		for _, c := range u.written() {
			tags = append(tags, c.tag)
		}
	}
	for i, tag := range tags {
		e := release.Edit{Revision: rev(i + 100), Before: release.Content{Tag: before}, After: release.Content{Tag: tag}}
		edits, before = append([]release.Edit{e}, edits...), tag
	}
	return release.History{Now: release.Content{Tag: before}, Edits: edits, Whole: true}, nil
}

func (u unasked) Live(ctx context.Context, name string) (release.Live, error) {
	live, err := u.link.Live(ctx, name)
	if err == nil && strings.HasSuffix(name, "-dev") {
		live.Workloads[0].Images = []string{"web:" + string(u.tag("dev"))}
		if u.hot {
			live.Session = &release.Session{Workload: "shop-okteto"}
		}
	}
	return live, err
}

func (u unasked) desk(p *process, id string) *Desk {
	d := desk(u.link, p)
	d.Repository, d.Applications, d.Histories = u, u, u
	d.NewID = func() string { return id }
	return d
}

// act is one of the two things that happen unasked.
type act struct {
	name   string
	writes string
	do     func(context.Context, *Desk) (release.Operation, error)
	kind   release.Kind
	says   string // in the commit
}

func acts() []act {
	align := func(ctx context.Context, d *Desk) (release.Operation, error) {
		return d.Align(ctx, "shop", "prod/shop/commit/1", release.AlignAsk{To: "sha-2", Mode: release.AlignWhenBehind})
	}
	promote := func(ctx context.Context, d *Desk) (release.Operation, error) {
		return d.AutoPromote(ctx, "shop", terms())
	}
	return []act{
		{"align", "dev", align, release.KindAlign, "\nRequested-By: alignment\n"},
		{"auto-promote", "prod", promote, release.KindPromote, "\nRequested-By: auto-promotion, soaked 30m\n"},
	}
}

// terms are met by what is seen outside.
func terms() release.AutoAsk {
	soak := release.Soak{Tag: "sha-2", Counted: 31 * time.Minute, Seen: time.Now(), Marks: release.SoakMarks{
		UID: "uid", HistoryID: 1, Workloads: "Deployment//shop generation 2 [web:sha-2]",
	}}
	return release.AutoAsk{Soak: soak, Needed: 30 * time.Minute}
}

// A process dies before or after each step of what it does unasked, and the
// next one does it again: there is one commit and one message.
func TestUnaskedOnce(t *testing.T) {
	for _, a := range acts() {
		t.Run(a.name, func(t *testing.T) {
			steps := len(actAndDie(t, a, 0, false))
			if steps < 8 {
				t.Fatalf("only %d steps to die at", steps)
			}
			for at := 1; at <= steps; at++ {
				for _, after := range []bool{false, true} {
					t.Run(fmt.Sprintf("step %d, after %v", at, after), func(t *testing.T) { actAndDie(t, a, at, after) })
				}
			}
		})
	}
}

func actAndDie(t *testing.T, a act, at int, after bool) (steps []string) {
	synctest.Test(t, func(t *testing.T) {
		o := newOutside()
		first := o.link(at, after)
		one := start(t.Context(), first, "one")
		u := unasked{link: first, writes: a.writes}
		if op, err := a.do(t.Context(), u.desk(one, "01A")); err != nil && !first.dead {
			t.Fatal(err)
		} else if err == nil && (op.ID != "01A" || op.Kind != a.kind || op.By.ID != "" || op.Asked.ID != "" || op.Path != "layer of "+a.writes) {
			t.Errorf("operation %+v", op)
		}
		select {
		case <-first.died:
		case <-time.After(5 * time.Minute):
		}
		one.end()
		next := o.link(0, false)
		two := start(t.Context(), next, "two")
		again := unasked{link: next, writes: a.writes}
		for range 2 {
			if op, err := a.do(t.Context(), again.desk(two, "01B")); err != nil {
				t.Errorf("again: %v; steps %q", err, first.names)
			} else if op.To != "sha-2" {
				t.Errorf("again: %+v", op)
			}
		}
		time.Sleep(5 * time.Minute)
		two.end()
		if len(o.ops) != 1 || len(o.commits) != 2 || len(o.posts) != 1 {
			t.Errorf("%d operations, %d commits, %d messages; steps %q", len(o.ops), len(o.commits)-1, len(o.posts), first.names)
		} else if c := o.commits[1]; !strings.Contains(c.message, a.says) || !strings.Contains(c.message, "\nOperation-Kind: "+string(a.kind)+"\n") {
			t.Errorf("message:\n%s", c.message)
		}
		steps = first.names
	})
	return steps
}

// Two processes that do it at the same time do it once.
func TestUnaskedSideBySide(t *testing.T) {
	for _, a := range acts() {
		synctest.Test(t, func(t *testing.T) {
			o := newOutside()
			done := make(chan release.Operation, 2)
			var processes []*process
			for _, id := range []string{"01A", "01B"} {
				l := o.link(0, false)
				p := start(t.Context(), l, id)
				processes = append(processes, p)
				go func() {
					op, err := a.do(t.Context(), unasked{link: l, writes: a.writes}.desk(p, id))
					var no *release.Refusal
					if err != nil && (!errors.As(err, &no) || no.Code != release.CodeInProgress) {
						t.Error(err)
					}
					done <- op
				}()
			}
			one, two := <-done, <-done
			time.Sleep(time.Minute)
			for _, p := range processes {
				p.end()
			}
			if len(o.ops) != 1 || len(o.commits) != 2 {
				t.Errorf("%s: %d operations, %d commits; %q and %q", a.name, len(o.ops), len(o.commits)-1, one.ID, two.ID)
			}
		})
	}
}

// While anything else changes the app, in dev or in prod, nothing is done unasked.
func TestUnaskedWaits(t *testing.T) {
	for _, a := range acts() {
		for _, environment := range []string{"dev", "prod"} {
			synctest.Test(t, func(t *testing.T) {
				o := newOutside()
				l := o.link(0, false)
				p := start(t.Context(), l, "one")
				other := promotion()
				other.Environment = environment
				o.ops[other.ID] = other
				_, err := a.do(t.Context(), unasked{link: l, writes: a.writes}.desk(p, "01B"))
				no, ok := err.(*release.Refusal)
				if !ok || no.Code != release.CodeInProgress || !no.Code.Passing() {
					t.Errorf("%s beside one in %s: %v", a.name, environment, err)
				}
				p.end()
			})
		}
	}
}

// What is refused was not begun, and the code says why.
func TestUnaskedRefusals(t *testing.T) {
	tooSoon := func(ctx context.Context, d *Desk) (release.Operation, error) {
		ask := terms()
		ask.Needed = time.Hour
		return d.AutoPromote(ctx, "shop", ask)
	}
	// A soak of which the newest sight is old, while the cluster has moved since.
	stale := func(ctx context.Context, d *Desk) (release.Operation, error) {
		ask := terms()
		ask.Soak.Seen, ask.Soak.Marks.HistoryID = time.Now().Add(-time.Hour), 0
		return d.AutoPromote(ctx, "shop", ask)
	}
	held := func(ctx context.Context, d *Desk) (release.Operation, error) {
		return d.Align(ctx, "shop", "u", release.AlignAsk{To: "sha-2", Mode: release.AlignWhenBehind, Hold: &release.Hold{Reason: "r"}})
	}
	gone := func(ctx context.Context, d *Desk) (release.Operation, error) {
		return d.Align(ctx, "shop", "u", release.AlignAsk{To: "sha-9", Mode: release.AlignAlways})
	}
	align, promote := acts()[0].do, acts()[1].do
	for _, c := range []struct {
		name string
		see  unasked
		do   func(context.Context, *Desk) (release.Operation, error)
		code release.Code
	}{
		{"align a hot dev", unasked{writes: "dev", hot: true}, align, release.CodeDevHot},
		{"align while held", unasked{writes: "dev"}, held, release.CodeHeld},
		{"align with what prod no longer has", unasked{writes: "dev"}, gone, release.CodeMoved},
		{"align without Git", unasked{writes: "dev", git: errors.New("no route")}, align, release.CodeGitUnreachable},
		{"promote from a hot dev", unasked{writes: "prod", hot: true}, promote, release.CodeDevHot},
		{"promote too soon", unasked{writes: "prod"}, tooSoon, release.CodeSoaking},
		{"promote on an old soak", unasked{writes: "prod"}, stale, release.CodeSoaking},
		{"promote without Git", unasked{writes: "prod", git: errors.New("no route")}, promote, release.CodeGitUnreachable},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				o := newOutside()
				c.see.link = o.link(0, false)
				p := start(t.Context(), c.see.link, "one")
				op, err := c.do(t.Context(), c.see.desk(p, "01A"))
				var no *release.Refusal
				if !errors.As(err, &no) || no.Code != c.code || op.ID != "" || len(o.ops) != 0 {
					t.Errorf("%+v, %v; %d operations", op, err, len(o.ops))
				}
				p.end()
			})
		})
	}
}
