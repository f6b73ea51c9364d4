package commands

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/synestra/promoter/internal/release"
)

// asker asks before every reset: its dev is out of sight.
type asker struct{ *link }

func (asker) Apps(context.Context) ([]release.Presence, release.Revision, error) {
	return []release.Presence{{App: "shop", Dev: true, Prod: true}}, rev(1), nil
}

func (asker) Layers(context.Context, release.App) (release.Layers, error) {
	return release.Layers{App: "shop", Revision: rev(1), Dev: release.Layer{Path: "layer", Tag: "sha-1"}, Prod: release.Layer{Tag: "sha-0"}}, nil
}

func (a asker) Live(context.Context, string) (release.Live, error) {
	return release.Live{Problem: "forbidden"}, nil
}

func (asker) Person(_ context.Context, who release.Person) (release.Person, error) { return who, nil }

func (a asker) Ask(_ context.Context, q release.Question) error {
	return a.call("ask", func() error { a.question = q; return nil })
}

func (a asker) Take(_ context.Context, click release.Request) (q release.Question, found bool, err error) {
	err = a.call("take", func() error {
		if q, found = a.question, a.taken == "" || a.taken == click.Delivery; found {
			a.taken = click.Delivery
		}
		return nil
	})
	return q, found, err
}

func desk(l *link, p *process) *Desk {
	environment := func(name string) release.Environment {
		return release.Environment{Name: name, Application: "web-{app}-" + name}
	}
	a := asker{l}
	return &Desk{
		Repository: a, Applications: a, People: a, Questions: a, Operations: p.Operations, Source: source,
		Policy:       release.Policy{{Commands: []string{"reset-dev"}, Apps: []string{"*"}, Environments: []string{"dev"}, Users: []string{"U1"}}},
		Environments: release.Environments{Dev: environment("dev"), Prod: environment("prod")},
		NewID:        func() string { return "01A" }, Log: slog.New(slog.DiscardHandler),
	}
}

// A click is not lost when the process dies at any step after it has been
// accepted: delivered again to the next process, it is carried out once.
func TestClickIsNotLost(t *testing.T) {
	for at := 1; at <= 8; at++ {
		for _, after := range []bool{false, true} {
			t.Run(fmt.Sprintf("step %d, after %v", at, after), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) { clickAndDie(t, at, after) })
			})
		}
	}
}

func clickAndDie(t *testing.T, at int, after bool) {
	o := newOutside()
	request := release.Request{Delivery: "d1", Command: "reset-dev", Text: "shop", By: release.Person{ID: "U1"}, Channel: release.Channel{ID: "C1"}, At: time.Now()}
	asking := o.link(0, false)
	zero := start(t.Context(), asking, "zero")
	answer, err := desk(asking, zero).Handle(t.Context(), request)
	if err != nil || len(answer.Choices) == 0 {
		t.Fatalf("asked to reset: %+v, %v", answer, err)
	}
	zero.end()
	click := request
	click.Delivery, click.Click, click.Subject = "d2", clickConfirm, answer.Choices[0].Subject
	first := o.link(at, after)
	one := start(t.Context(), first, "one")
	if _, err := desk(first, one).Handle(t.Context(), click); err != nil && !first.dead {
		t.Fatal(err)
	}
	<-first.died
	one.end()
	last := o.link(0, false)
	two := start(t.Context(), last, "two")
	if answer, err := desk(last, two).Handle(t.Context(), click); err != nil || answer.Refusal != nil {
		t.Errorf("delivered again: %+v, %v; steps %q", answer.Refusal, err, first.names)
	}
	time.Sleep(20 * time.Second) // the dead one's lease runs out
	two.end()
	if n := len(o.commits); n != 2 || o.commits[1].operation != "01A" {
		t.Errorf("%d commits; steps %q", n-1, first.names)
	}
}

// That Argo CD listed a clone is remembered from the decision on, whatever
// comes between it and our sync.
func TestCloneIsRemembered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := newOutside()
		l := o.link(0, false)
		live := release.Live{Workloads: []release.Workload{{Name: "shop"}, {Name: "shop-okteto", Clone: true}}}
		p := start(t.Context(), l, "one")
		defer p.end()
		d := desk(l, p)
		op := d.operation(release.KindResetDev, release.Request{}, release.State{Dev: release.Running{Live: live}}, release.Plan{})
		if !slices.Equal(op.Baseline.Clones, []string{"shop-okteto"}) {
			t.Fatalf("baseline %+v", op.Baseline)
		}
		o.ops[op.ID], o.syncs = op, []time.Time{time.Now().Add(-time.Minute)} // somebody else's
		c := carrier{Operations: d.Operations, op: op}
		if err := c.syncOnce(t.Context()); err != nil {
			t.Fatal(err)
		}
		if b := c.op.Baseline; b.UID != "uid" || !slices.Equal(b.Clones, []string{"shop-okteto"}) {
			t.Errorf("after another sync the baseline is %+v", b)
		}
	})
}
