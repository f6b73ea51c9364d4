package gitops

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/synestra/promoter/internal/release"
	"github.com/synestra/promoter/internal/sandbox/githost"
)

// refusedFor fails the test unless err is a refusal of that code.
func refusedFor(t *testing.T, err error, code release.Code) *release.Refusal {
	t.Helper()
	refusal := (*release.Refusal)(nil)
	if !errors.As(err, &refusal) || refusal.Code != code {
		t.Fatalf("got %v, want a refusal %s", err, code)
	}
	return refusal
}

// pushes are how many pushes the host has seen.
func pushes(h *githost.Host) int { return h.Counts()[githost.Push].Requests }

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
	if tip := git(t, h, "rev-parse", "main"); tip != string(got) {
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
	if !errors.As(err, &rejected) || errors.Is(err, ErrUnknown) {
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

func TestApplyAfterACrash(t *testing.T) {
	h := newHost(t)
	first := open(t, h)
	c := promotion(read(t, first, "synestra-io"), "01A")
	want, err := first.Apply(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range []struct {
		name  string
		since map[string][]byte // what others commit before the restart
	}{
		{"nothing since", nil},
		{"others since", map[string][]byte{"README.md": []byte("hi\n")}},
		{"undone since", map[string][]byte{prodPath: githost.ReleaseLayer("synestra-io", "sha-1111111")}},
	} {
		if row.since != nil {
			commitAs(t, h, person, row.since)
		}
		h.ResetCounts()
		got, err := open(t, h).Apply(t.Context(), c)
		if err != nil || got != want {
			t.Errorf("%s: got %s, %v, want %s", row.name, got, err, want)
		}
		if n := pushes(h); n != 0 {
			t.Errorf("%s: pushed %d times, want 0", row.name, n)
		}
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
	var changes []release.Change
	for _, a := range apps {
		changes = append(changes, promotion(read(t, r, release.App(a.Name)), "01"+a.Name))
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
	if err := (<-e.done).err; err == nil || errors.Is(err, ErrUnknown) || !strings.Contains(err.Error(), "12 times") {
		t.Errorf("got %v, want a clear end after 12 tries", err)
	}
	if n := pushes(h); n != 2 {
		t.Errorf("pushed %d times, want 2", n)
	}
}

func TestApplyComparesBeforeItSets(t *testing.T) {
	rows := []struct {
		app     string
		content []byte // what a rival makes of the layer meanwhile
		code    release.Code
		says    string
	}{
		{"moved", githost.ReleaseLayer("moved", "sha-3333333"), release.CodeMoved, "`sha-3333333` now"},
		{"there", githost.ReleaseLayer("there", "sha-2222222"), release.CodeAlreadyThere, "already says `sha-2222222`"},
		{"gone", nil, release.CodeNotEditable, "no such file"},
		{"alias", []byte("x: &t sha-1111111\nimage:\n  tag: *t\n"), release.CodeNotEditable, "line 3: image.tag is an alias"},
		{"comment", append([]byte("# hello\n"), githost.ReleaseLayer("comment", "sha-1111111")...), "", ""},
	}
	var apps []githost.App
	for _, row := range rows {
		apps = append(apps, githost.App{Name: row.app, Dev: "sha-2222222", Prod: "sha-1111111"})
	}
	h := newHost(t, apps...)
	r := open(t, h)
	for _, row := range rows {
		l := read(t, r, release.App(row.app))
		rival := commitAs(t, h, person, map[string][]byte{l.Prod.Path: row.content})
		_, err := r.Apply(t.Context(), promotion(l, "01"+row.app))
		if row.code == "" {
			want := strings.Replace(string(row.content), "sha-1111111", "sha-2222222", 1)
			if got := git(t, h, "show", "main:"+l.Prod.Path); err != nil || got+"\n" != want {
				t.Errorf("%s: layer is %q, %v, want %q", row.app, got, err, want)
			}
			continue
		}
		if refusal := refusedFor(t, err, row.code); !strings.Contains(refusal.Say, row.says) {
			t.Errorf("%s: says %q, want %q in it", row.app, refusal.Say, row.says)
		}
		if tip := git(t, h, "rev-parse", "main"); tip != string(rival) {
			t.Errorf("%s: something was pushed: %s", row.app, tip)
		}
	}
}

func TestApplyTheSameChangeAtOnce(t *testing.T) {
	h := newHost(t)
	r := open(t, h)
	c := promotion(read(t, r, "synestra-io"), "01A")
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			if _, err := r.Apply(t.Context(), c); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if have := commits(t, h); len(have) != 1 {
		t.Errorf("branch has %v, want one commit", have)
	}
}

func TestApplyTwoOperationsOnOneLayer(t *testing.T) {
	h := newHost(t)
	r := open(t, h)
	l := read(t, r, "synestra-io")
	var landed, moved atomic.Int32
	var all sync.WaitGroup
	for i := range 6 {
		c := change(l.Prod.Path, l.Prod.Tag, release.Tag(fmt.Sprint("sha-", i)), l.Revision, fmt.Sprint("01-", i))
		all.Go(func() {
			_, err := r.Apply(t.Context(), c)
			refusal := (*release.Refusal)(nil)
			switch {
			case err == nil:
				landed.Add(1)
			case errors.As(err, &refusal) && refusal.Code == release.CodeMoved:
				moved.Add(1)
			default:
				t.Error(err)
			}
		})
	}
	all.Wait()
	if landed.Load() != 1 || moved.Load() != 5 || len(commits(t, h)) != 1 {
		t.Errorf("%d landed and %d were refused, branch has %v", landed.Load(), moved.Load(), commits(t, h))
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
		{"no right", http.StatusForbidden, 99, ErrUnauthorized, 1},
		{"always unavailable", http.StatusServiceUnavailable, 99, ErrUnknown, maxFailures},
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
		if row.is != ErrUnknown && errors.Is(err, ErrUnknown) {
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
	if _, err := r.Apply(t.Context(), promotion(l, "01A")); !errors.Is(err, ErrUnknown) {
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
	if _, err := r.Apply(t.Context(), promotion(l, "01A")); err == nil || errors.Is(err, ErrUnknown) {
		t.Errorf("nothing was sent, yet: %v", err)
	}
	cold := open(t, h)
	if _, err := cold.Apply(t.Context(), promotion(l, "01A")); !errors.Is(err, ErrUnknown) {
		t.Errorf("the branch could not be read: %v", err)
	}
}

func TestApplyOnARewrittenBranch(t *testing.T) {
	h := newHost(t)
	r := open(t, h)
	commitAs(t, h, ci, map[string][]byte{"a": []byte("1")})
	l := read(t, r, "synestra-io")
	git(t, h, "update-ref", "refs/heads/main", "main~1")
	commitAs(t, h, person, map[string][]byte{"a": []byte("2")})
	_, err := r.Apply(t.Context(), promotion(l, "01A"))
	if refusal := refusedFor(t, err, release.CodeMoved); !strings.Contains(refusal.Say, "rewritten") {
		t.Errorf("says %q", refusal.Say)
	}
	// What is decided on the branch as it is now can be written.
	if _, err := r.Apply(t.Context(), promotion(read(t, r, "synestra-io"), "01B")); err != nil {
		t.Error(err)
	}
	sound(t, h)
}

func TestApplyFromABaseThatThisProcessHasNotSeen(t *testing.T) {
	h := newHost(t)
	r := open(t, h)
	read(t, r, "synestra-io")
	commitAs(t, h, ci, map[string][]byte{"a": []byte("1")})
	c := promotion(read(t, open(t, h), "synestra-io"), "01A") // another replica
	if _, err := r.Apply(t.Context(), c); err != nil {
		t.Error(err)
	}
}

func TestApplyIsNotFooledByAQuotedTrailer(t *testing.T) {
	h := newHost(t)
	r := open(t, h)
	l := read(t, r, "synestra-io")
	if _, err := h.Commit(t.Context(), githost.WebCore, person, "Revert it\n\nOperation-Id: 01A\n\nwas wrong.", map[string][]byte{"a": nil, "b": []byte("1")}); err != nil {
		t.Fatal(err)
	}
	got, err := r.Apply(t.Context(), promotion(l, "01A"))
	if err != nil {
		t.Fatal(err)
	}
	oneLine(t, h, string(got))
}

func TestApplyAuthorCannotForgeAHeader(t *testing.T) {
	h := newHost(t)
	r := open(t, h)
	c := promotion(read(t, r, "synestra-io"), "01A")
	c.Author = release.Identity{Name: "Eve\ncommitter Root <root@x> 0 +0000\x00", Email: "e\r\nparent 0>@x"}
	got, err := r.Apply(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	raw := git(t, h, "cat-file", "commit", string(got))
	head, _, _ := strings.Cut(raw, "\n\n")
	want := []string{"tree ", "parent ", "author Evecommitter Root root@x 0 +0000 <eparent 0@x> ", "committer promoter <promoter@synestra.io> "}
	for i, line := range strings.Split(head, "\n") {
		if i >= len(want) || !strings.HasPrefix(line, want[i]) {
			t.Errorf("header line %d is %q", i, line)
		}
	}
	sound(t, h)
}

func TestApplyRefusesUnsafeChanges(t *testing.T) {
	h := newHost(t)
	r := open(t, h)
	good := promotion(read(t, r, "synestra-io"), "01A")
	for _, row := range []struct {
		name  string
		spoil func(*release.Change)
	}{
		{"no operation", func(c *release.Change) { c.Operation = "" }},
		{"trailer missing", func(c *release.Change) { c.Message = "release(prod): x" }},
		{"trailer of another", func(c *release.Change) { c.Operation = "01B" }},
		{"NUL in the message", func(c *release.Change) { c.Message = "a\x00b" + c.Message }},
		{"no change", func(c *release.Change) { c.To = c.From }},
		{"not a tag", func(c *release.Change) { c.To = "a b" }},
		{"no base", func(c *release.Change) { c.Base = "main" }},
		{"values file", func(c *release.Change) { c.Path = "deploy/env/prod/synestra-io.yaml" }},
		{"outside", func(c *release.Change) { c.Path = "deploy/env/release-prod/../x.yaml" }},
	} {
		c := good
		row.spoil(&c)
		if _, err := r.Apply(t.Context(), c); err == nil {
			t.Errorf("%s: was applied", row.name)
		}
	}
	if have := commits(t, h); len(have) != 0 {
		t.Errorf("branch has %v", have)
	}
}
