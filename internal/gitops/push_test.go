package gitops

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/synestra/promoter/internal/release"
	"github.com/synestra/promoter/internal/sandbox/githost"
)

func TestApplyInSyncIsOneRequest(t *testing.T) {
	h := newHost(t)
	r := open(t, h)
	l := read(t, r, "synestra-io")
	h.ResetCounts()
	got, err := r.Apply(t.Context(), promotion(l, "01A"))
	if err != nil {
		t.Fatal(err)
	}
	counts := h.Counts()
	if len(counts) != 1 || counts[githost.Push].Requests != 1 {
		t.Errorf("took %v, want one push and nothing else", counts)
	}
	if tip := tip(t, h); tip != got {
		t.Errorf("said %s, the branch is at %s", got, tip)
	}
	oneLine(t, h, string(got))
	sound(t, h)
	if l := read(t, r, "synestra-io"); l.Prod.Tag != "sha-2222222" || l.Revision != got {
		t.Errorf("read back %+v", l)
	}
	want := "promoter <promoter@synestra.io>|Ann Person <u1@slack.synestra.io>|2026-11-24T12:00:00+00:00|01A"
	if got := git(t, h, "log", "-1", "--format=%cn <%ce>|%an <%ae>|%aI|%(trailers:key=Operation-Id,valueonly,separator=)", "main"); got != want {
		t.Errorf("commit is by %s, want %s", got, want)
	}
}

func TestApplyBehindIsFourRequests(t *testing.T) {
	h := newHost(t)
	r := open(t, h)
	l := read(t, r, "synestra-io")
	rival := commitAs(t, h, ci, map[string][]byte{"deploy/env/release-dev/other.yaml": githost.ReleaseLayer("other", "sha-9")})
	h.ResetCounts()
	got, err := r.Apply(t.Context(), promotion(l, "01A"))
	if err != nil {
		t.Fatal(err)
	}
	want := map[githost.Kind]int{githost.Push: 2, githost.LsRefs: 1, githost.Fetch: 1}
	for kind, c := range h.Counts() {
		if c.Requests != want[kind] {
			t.Errorf("%d %s requests, want %d", c.Requests, kind, want[kind])
		}
	}
	if have := commits(t, h); !slices.Equal(have, []string{string(got), string(rival)}) {
		t.Errorf("branch has %v", have)
	}
	sound(t, h)
}

func TestApplyRefusedByHookIsNoRace(t *testing.T) {
	h := newHost(t)
	r := open(t, h)
	l := read(t, r, "synestra-io")
	if err := h.Hook(githost.WebCore, "pre-receive", "echo 'secret scanning: `nope`' >&2; exit 1"); err != nil {
		t.Fatal(err)
	}
	h.ResetCounts()
	_, err := r.Apply(t.Context(), promotion(l, "01A"))
	rejected := (*Rejected)(nil)
	if !errors.As(err, &rejected) || errors.Is(err, release.ErrOutcomeUnknown) {
		t.Fatalf("got %v, want a rejection", err)
	}
	if !strings.Contains(rejected.Reason, "pre-receive hook declined") || !strings.Contains(rejected.Reason, "secret scanning: ˋnopeˋ") {
		t.Errorf("the host's reason is missing: %q", rejected.Reason)
	}
	if n := pushes(h); n != 1 {
		t.Errorf("pushed %d times, want 1", n)
	}
	if have := commits(t, h); len(have) != 0 {
		t.Errorf("branch has %v", have)
	}
}

func TestApplyReplyLostAfterLanding(t *testing.T) {
	h := newHost(t)
	r := open(t, h)
	l := read(t, r, "synestra-io")
	onPush(h, func(n int) githost.Fault { return githost.Fault{LoseReply: n == 1} })
	got, err := r.Apply(t.Context(), promotion(l, "01A"))
	if err != nil {
		t.Fatal(err)
	}
	if have := commits(t, h); !slices.Equal(have, []string{string(got)}) {
		t.Errorf("branch has %v, said %s", have, got)
	}
	if n := pushes(h); n != 1 {
		t.Errorf("pushed %d times, want 1", n)
	}
}

func TestApplyTwentyAtOnce(t *testing.T) {
	const n = 20
	var apps []githost.App
	for i := range n {
		apps = append(apps, githost.App{Name: fmt.Sprint("app-", i), Dev: "sha-2222222", Prod: "sha-1111111"})
	}
	h := newHost(t, apps...)
	r := open(t, h)
	base := read(t, r, "app-0").Revision
	var changes []release.Change
	for _, a := range apps {
		changes = append(changes, change(file3(a.Name), "sha-1111111", "sha-2222222", base, "01"+a.Name))
	}
	var started, all sync.WaitGroup
	started.Add(n)
	onPush(h, func(int) githost.Fault { started.Wait(); return githost.Fault{} })
	h.ResetCounts()
	for _, c := range changes {
		all.Go(func() {
			started.Done()
			if _, err := r.Apply(t.Context(), c); err != nil {
				t.Errorf("%s: %v", c.Path, err)
			}
		})
	}
	all.Wait()
	if got := pushes(h); got > 3 {
		t.Errorf("took %d pushes, want at most 3", got)
	}
	have := commits(t, h)
	if len(have) != n {
		t.Errorf("branch has %d commits, want %d", len(have), n)
	}
	if stat := strings.Fields(git(t, h, "log", "--format=", "--numstat", have[len(have)-1]+"^..main")); len(stat) != 3*n {
		t.Errorf("the commits change more than a file each: %v", stat)
	} else {
		for change := range slices.Chunk(stat, 3) {
			if change[0] != "1" || change[1] != "1" {
				t.Errorf("%s: +%s -%s lines, want one", change[2], change[0], change[1])
			}
		}
	}
	sound(t, h)
}

func TestApplyAgainstARival(t *testing.T) {
	h := newHost(t)
	r := open(t, h)
	l := read(t, r, "synestra-io")
	onPush(h, func(n int) githost.Fault {
		if n <= 3 {
			commitAs(t, h, ci, map[string][]byte{"builds": fmt.Append(nil, n)})
		}
		return githost.Fault{}
	})
	if _, err := r.Apply(t.Context(), promotion(l, "01A")); err != nil {
		t.Fatal(err)
	}
	if have := commits(t, h); len(have) != 4 {
		t.Errorf("branch has %v, want three of the rival and ours", have)
	}
	sound(t, h)
}

func TestApplyGivesUpAgainstAnEndlessRival(t *testing.T) {
	h := newHost(t)
	r := open(t, h)
	e := newEdit(t, r, promotion(read(t, r, "synestra-io"), "01A"))
	e.tries = maxTries - 2
	onPush(h, func(n int) githost.Fault {
		commitAs(t, h, ci, map[string][]byte{"builds": fmt.Append(nil, n)})
		return githost.Fault{}
	})
	r.land(t.Context(), []*edit{e}, func() []*edit { return nil })
	if err := (<-e.done).err; err == nil || errors.Is(err, release.ErrOutcomeUnknown) || !strings.Contains(err.Error(), "12 times") {
		t.Errorf("got %v, want a clear end after 12 tries", err)
	}
	if n := pushes(h); n != 2 {
		t.Errorf("pushed %d times, want 2", n)
	}
}

// newEdit is a change as the writer gets it.
func newEdit(t *testing.T, r *Repo, c release.Change) *edit {
	t.Helper()
	base, err := r.checkChange(c)
	if err != nil {
		t.Fatal(err)
	}
	return &edit{ctx: t.Context(), change: c, base: base, done: make(chan result, 1)}
}

// landTogether lands changes in one batch.
func landTogether(t *testing.T, r *Repo, changes ...release.Change) []result {
	t.Helper()
	var edits []*edit
	for _, c := range changes {
		edits = append(edits, newEdit(t, r, c))
	}
	r.land(t.Context(), edits, func() []*edit { return nil })
	var results []result
	for _, e := range edits {
		results = append(results, <-e.done)
	}
	return results
}

func TestApplyTheSameChangeInOneBatch(t *testing.T) {
	h := newHost(t)
	r := open(t, h)
	c := promotion(read(t, r, "synestra-io"), "01A")
	got := landTogether(t, r, c, c)
	if got[0] != got[1] || got[0].err != nil || len(commits(t, h)) != 1 {
		t.Errorf("got %v, branch has %v", got, commits(t, h))
	}
}

func TestApplyOneBadEditDoesNotSinkTheRest(t *testing.T) {
	h := newHost(t,
		githost.App{Name: "bad", Dev: "b", Prod: "a"}, githost.App{Name: "good", Dev: "b", Prod: "a"}, githost.App{Name: "fine", Dev: "b", Prod: "a"})
	r := open(t, h)
	if err := h.Hook(githost.WebCore, "pre-receive",
		`while read old new ref; do git diff --name-only $old $new | grep -q release-prod/bad && { echo "bad is frozen" >&2; exit 1; }; done; exit 0`); err != nil {
		t.Fatal(err)
	}
	other := promotion(read(t, r, "bad"), "01other")
	other.To = "c"
	got := landTogether(t, r,
		promotion(read(t, r, "bad"), "01bad"), promotion(read(t, r, "good"), "01good"), promotion(read(t, r, "fine"), "01fine"),
		// Not "somebody changed it": the first change of that layer does not land.
		other)
	for i, wantErr := range []bool{true, false, false, true} {
		rejected := (*Rejected)(nil)
		if errors.As(got[i].err, &rejected) != wantErr || !wantErr && got[i].err != nil {
			t.Errorf("change %d: %v", i, got[i].err)
		}
		if wantErr && rejected != nil && !strings.Contains(rejected.Reason, "bad is frozen") {
			t.Errorf("reason is %q", rejected.Reason)
		}
	}
	if have := commits(t, h); len(have) != 2 {
		t.Errorf("branch has %v, want two commits", have)
	}
	sound(t, h)
}

func TestApplyServerErrors(t *testing.T) {
	h := newHost(t)
	r := open(t, h)
	l := read(t, r, "synestra-io")
	for _, row := range []struct {
		name   string
		status int
		times  int
		is     error // in the chain; nil if it lands
		pushes int
	}{
		{"no right", http.StatusForbidden, 99, release.ErrUnauthorized, 1},
		{"always unavailable", http.StatusServiceUnavailable, 99, release.ErrOutcomeUnknown, maxFailures},
		{"twice unavailable", http.StatusServiceUnavailable, 2, nil, 3},
	} {
		onPush(h, func(n int) githost.Fault {
			if n <= row.times {
				return githost.Fault{Status: row.status}
			}
			return githost.Fault{}
		})
		h.ResetCounts()
		_, err := r.Apply(t.Context(), promotion(l, "01A"))
		if (err == nil) != (row.is == nil) || !errors.Is(err, row.is) {
			t.Errorf("%s: got %v", row.name, err)
		}
		if row.is != release.ErrOutcomeUnknown && errors.Is(err, release.ErrOutcomeUnknown) {
			t.Errorf("%s: the outcome is known, yet: %v", row.name, err)
		}
		if n := pushes(h); n != row.pushes {
			t.Errorf("%s: pushed %d times, want %d", row.name, n, row.pushes)
		}
	}
}

func TestApplyDoubtsARefusalWhileAnEarlierPushMayLand(t *testing.T) {
	h := newHost(t)
	r := open(t, h)
	l := read(t, r, "synestra-io")
	if err := h.Hook(githost.WebCore, "pre-receive", "exit 1"); err != nil {
		t.Fatal(err)
	}
	onPush(h, func(n int) githost.Fault {
		if n == 1 {
			return githost.Fault{Status: http.StatusBadGateway} // and who knows what behind it
		}
		return githost.Fault{}
	})
	if _, err := r.Apply(t.Context(), promotion(l, "01A")); !errors.Is(err, release.ErrOutcomeUnknown) || errors.Is(err, release.ErrWriteRejected) {
		t.Errorf("got %v", err)
	}
	rejected := (*Rejected)(nil)
	if _, err := r.Apply(t.Context(), promotion(l, "01A")); !errors.As(err, &rejected) {
		t.Errorf("asked later: %v", err)
	}
}

func TestApplyToAHostThatIsDown(t *testing.T) {
	h := newHost(t)
	r := open(t, h)
	l := read(t, r, "synestra-io")
	h.Close()
	r.host.close()
	if _, err := r.Apply(t.Context(), promotion(l, "01A")); err == nil || errors.Is(err, release.ErrOutcomeUnknown) {
		t.Errorf("nothing was sent, yet: %v", err)
	}
	cold := open(t, h)
	if _, err := cold.Apply(t.Context(), promotion(l, "01A")); !errors.Is(err, release.ErrOutcomeUnknown) {
		t.Errorf("the branch could not be read: %v", err)
	}
}
