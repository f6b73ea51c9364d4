package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/synestra/promoter/internal/sandbox/argocd"
	"github.com/synestra/promoter/internal/sandbox/githost"
)

// content is what an app's files in prod say.
type content struct {
	tag        string
	env        int // a value of the environment's, which is rendered
	note       int // a comment among the values, which is not
	layerNotes int // a comment in the layer
}

// rendered is what the cluster is made of: what differs in it is another rollout.
func (c content) rendered() content { return content{tag: c.tag, env: c.env} }

// asks is what the bot can tell apart: of the values any byte, of the layer what it says.
func (c content) asks() content { return content{tag: c.tag, env: c.env, note: c.note} }

func (c content) files(app string) map[string][]byte {
	layer := append(githost.ReleaseLayer(app, c.tag), fmt.Sprintf("# note %d\n", c.layerNotes)...)
	return map[string][]byte{
		"deploy/env/release-prod/" + app + ".yaml": layer,
		"deploy/env/prod/" + app + ".yaml":         fmt.Appendf(nil, "# note %d\nenv:\n  LIMIT: %d\ningress:\n  hosts:\n    - %s.example.org\n", c.note, c.env, app),
	}
}

// edit is a step of the branch that changed the app's files.
type edit struct {
	to     content
	how    string // for people who read of a failure
	commit string
	at     time.Time
}

// manual is what a person had Argo CD deploy that Git does not say, or the way
// back from it.
type manual struct {
	to     content
	at     time.Time
	needed bool // something else runs by it, so it must be told
}

// historyApp is one app with a random history of its own.
type historyApp struct {
	*historyWorld
	name    string
	rng     *rand.Rand
	now     content
	edits   []edit // the first is what there was
	manuals []manual
	tags    int
	steps   []string // what was done, for people
	truth   *truth
}

func (a *historyApp) application() string { return "web-" + a.name + "-prod" }

func (a *historyApp) chance(percent int) bool { return a.rng.IntN(100) < percent }

func (a *historyApp) did(format string, args ...any) {
	a.steps = append(a.steps, time.Now().Format("05.000 ")+fmt.Sprintf(format, args...))
}

// live goes through a history: bursts of changes, after some of which all is
// let come to rest and be told, after others only to be live, and after others
// nothing is waited for.
func (a *historyApp) live(ctx context.Context) error {
	for range 2 + a.rng.IntN(3) {
		for range 1 + a.rng.IntN(3) {
			if err := a.act(ctx); err != nil {
				return err
			}
			pause(ctx, time.Duration(a.rng.IntN(150))*time.Millisecond)
		}
		switch n := a.rng.IntN(10); {
		case n < 5:
			if err := a.rest(ctx); err != nil {
				return err
			}
		case n < 7:
			if err := a.settled(ctx); err != nil {
				return err
			}
		}
	}
	return a.rest(ctx)
}

// act does one random thing.
func (a *historyApp) act(ctx context.Context) error {
	next := a.now
	switch n := a.rng.IntN(100); {
	case n < 40:
		next.tag = a.newTag()
		return a.push(ctx, next, "release")
	case n < 50:
		next.env++
		return a.push(ctx, next, "values")
	case n < 56:
		next.note++
		return a.push(ctx, next, "a comment among the values")
	case n < 60:
		next.layerNotes++
		return a.push(ctx, next, "a comment in the layer")
	case n < 72:
		back := a.edits[a.rng.IntN(len(a.edits))].to
		return a.push(ctx, back, "revert")
	case n < 77:
		a.did("commit elsewhere")
		return a.commits.push(ctx, &change{app: a.name, files: map[string][]byte{"docs/" + a.name + ".md": fmt.Appendf(nil, "%d\n", a.rng.Int())}})
	case n < 82:
		a.did("kubectl set image")
		return a.argo.SetImage(a.application(), "sha-kubectl")
	case n < 87:
		a.did("pods deleted")
		return a.argo.DeletePods(a.application())
	case n < 90:
		a.did("kubectl scale")
		return a.argo.Drift(a.application())
	case n < 94:
		a.did("sync by hand")
		_ = a.argo.SyncBy(a.application(), "ana", "") // refused while another sync is under way
		return nil
	}
	return a.rollback(ctx)
}

// newTag is a tag that nothing had before. How releases of it behave is in its name.
func (a *historyApp) newTag() string {
	a.tags++
	how, behaves := "good", argocd.Behaviour{}
	switch n := a.rng.IntN(20); {
	case n < 3:
		how, behaves.Ready = "slow", 40
	case n < 5:
		how, behaves.Reason, behaves.Deadline = "crashes", "CrashLoopBackOff", 8
	case n < 6:
		how, behaves.Ready, behaves.Deadline = "recovers", 60, 8
	case n < 7:
		how, behaves.FailSync = "refused", "admission webhook denied the request"
	}
	tag := fmt.Sprintf("%s-%d-%s", a.name, a.tags, how)
	a.argo.Behave(tag, behaves)
	return tag
}

func (a *historyApp) push(ctx context.Context, to content, how string) error {
	merged := a.chance(20)
	c := &change{app: a.name, files: to.files(a.name), message: how + " " + to.tag, side: merged}
	a.did("%s: %s env %d, notes %d and %d, merged %v", how, to.tag, to.env, to.note, to.layerNotes, merged)
	if err := a.commits.push(ctx, c); err != nil {
		return err
	}
	a.did("is commit %.7s", c.hash)
	a.now = to
	if to.asks() != a.edits[len(a.edits)-1].to.asks() {
		a.edits = append(a.edits, edit{to, how, c.hash, time.Now()})
	}
	return nil
}

// rollback has a person roll back in Argo CD, and leave it to Argo CD again.
func (a *historyApp) rollback(ctx context.Context) error {
	if err := a.rest(ctx); err != nil {
		return err
	}
	if a.truth.now().failing {
		return nil // what people know then is another matter
	}
	if err := a.argo.SetAutoSync(a.application(), false, false); err != nil {
		return err
	}
	if a.argo.Rollback(a.application(), "ana") == nil {
		if err := a.rolledBack(ctx); err != nil {
			return err
		}
	}
	return a.argo.SetAutoSync(a.application(), true, true)
}

func (a *historyApp) rolledBack(ctx context.Context) error {
	last, began := a.edits[len(a.edits)-1].to, time.Now()
	var to content
	err := a.await(ctx, "the rollback to be live or to have failed", func() bool {
		s := a.truth.now()
		if s.busy || !s.manual {
			return false
		}
		to = a.contentAt(s.deployed)
		return s.live(to) || s.failing
	})
	if err != nil {
		return err
	}
	a.did("rolled back to %s env %d", to.tag, to.env)
	if to.asks() == last.asks() {
		return nil
	}
	needed := to.rendered() != last.rendered()
	a.manuals = append(a.manuals, manual{to, began, needed})
	if err := a.rest(ctx); err != nil {
		return err
	}
	if err := a.argo.SetAutoSync(a.application(), true, true); err != nil {
		return err
	}
	a.manuals = append(a.manuals, manual{last, time.Now(), needed})
	a.did("auto-sync is on again")
	return a.rest(ctx)
}

// settled waits until the branch's last word on the app is live, or has failed.
func (a *historyApp) settled(ctx context.Context) error {
	return a.await(ctx, "it to be live or to have failed", func() bool { return a.isSettled() })
}

func (a *historyApp) isSettled() bool {
	s, last := a.truth.now(), a.edits[len(a.edits)-1]
	if s.busy {
		return false
	}
	if n := len(a.manuals); n > 0 && n%2 == 1 { // a rollback stands
		to := a.manuals[n-1].to
		return s.live(to) || s.failing && a.contentAt(s.deployed) == to
	}
	if s.syncFailed && s.sync != "Synced" {
		return a.commits.reached(last.commit, s.deployed)
	}
	return a.commits.reached(last.commit, s.compared) && (s.live(last.to) && s.sync == "Synced" || s.failing)
}

// rest waits until all is told that must be.
func (a *historyApp) rest(ctx context.Context) error {
	if err := a.settled(ctx); err != nil {
		return err
	}
	var missing, wrong []string
	err := a.await(ctx, "it to be told", func() bool {
		if !a.isSettled() {
			return false
		}
		missing, wrong = a.judge()
		return len(missing) == 0 || len(wrong) > 0
	})
	for _, w := range append(wrong, missing...) {
		err = errors.Join(err, errors.New(w))
	}
	a.did("rest")
	return err
}

func (a *historyApp) await(ctx context.Context, what string, ok func() bool) error {
	ctx, stop := context.WithTimeout(ctx, deadline)
	defer stop()
	if err := until(ctx, ok); err != nil {
		return fmt.Errorf("waiting for %s: %w; it is %+v", what, err, a.truth.now())
	}
	return nil
}

// contentAt is what the app's files say at a commit.
func (a *historyApp) contentAt(revision string) content {
	for i := len(a.edits) - 1; i > 0; i-- {
		if a.commits.reached(a.edits[i].commit, revision) {
			return a.edits[i].to
		}
	}
	return a.edits[0].to
}
