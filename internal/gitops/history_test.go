package gitops

import (
	"bytes"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/http"
	"path"
	"slices"
	"strings"
	"testing"

	"github.com/synestra/promoter/internal/release"
	"github.com/synestra/promoter/internal/sandbox/githost"
)

const (
	valuesPath = "deploy/env/prod/synestra-io.yaml"
	bob        = "Bob <bob@synestra.io>"
)

// script is a history in the language of git fast-import, each commit a second
// after the one before.
type script struct {
	bytes.Buffer
	marks int
}

// commit adds a commit to a branch, on it or on the given parents (":3"),
// and returns its mark.
func (s *script) commit(branch, author, message string, parents []string, files map[string]string) string {
	s.marks++
	fmt.Fprintf(s, "commit refs/heads/%s\nmark :%d\nauthor %s %d +0000\ncommitter %[3]s %[4]d +0000\ndata %d\n%s\n",
		branch, s.marks, author, 1_800_000_000+s.marks, len(message), message)
	for i, p := range parents {
		fmt.Fprintf(s, "%s %s\n", [...]string{"from", "merge"}[min(i, 1)], p)
	}
	for _, path := range slices.Sorted(maps.Keys(files)) {
		fmt.Fprintf(s, "M 100644 inline %s\ndata %d\n%s\n", path, len(files[path]), files[path])
	}
	return fmt.Sprintf(":%d", s.marks)
}

// run imports the script into a repository, and returns the hash of each mark.
func (s *script) run(t *testing.T, h *githost.Host, repo string) map[string]release.Revision {
	t.Helper()
	for n := range s.marks {
		fmt.Fprintf(s, "get-mark :%d\n", n+1)
	}
	out, err := h.Import(t.Context(), repo, s.Bytes())
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]release.Revision{}
	for i, hash := range strings.Fields(out) {
		found[fmt.Sprintf(":%d", i+1)] = release.Revision(hash)
	}
	return found
}

func layerOf(tag string) map[string]string {
	return map[string]string{prodPath: string(githost.ReleaseLayer("synestra-io", tag))}
}

func historyOf(t *testing.T, r *Repo, app release.App, since release.Revision, most int) release.History {
	t.Helper()
	if _, err := r.sync(t.Context()); err != nil { // where the branch is now
		t.Fatal(err)
	}
	got, err := r.History(t.Context(), app, "prod", since, most)
	if err != nil {
		t.Fatal(err)
	}
	return got
}

// say puts a history on one line: of each edit its tags, subject and authors.
func say(h release.History) string {
	var b strings.Builder
	for _, e := range h.Edits {
		fmt.Fprintf(&b, "%s→%s %q", e.Before.Tag, e.After.Tag, e.Subject)
		for _, a := range e.Authors {
			fmt.Fprintf(&b, " %s", a.Email)
		}
		b.WriteString("; ")
	}
	fmt.Fprintf(&b, "now %s, whole %t", h.Now.Tag, h.Whole)
	return b.String()
}

// story is one of each: an edit, a comment, values, a neighbour, a merge of two
// people's changes, and a merge of one that began before all of it.
func story(t *testing.T, h *githost.Host) (marks map[string]release.Revision, comment, side, merge string) {
	t.Helper()
	var s script
	seed := string(tip(t, h))
	trailers := "\n\nOperation-Id: 01A\nOperation-Kind: promote\n"
	s.commit("main", ci, "two"+trailers, []string{seed}, layerOf("sha-2222222"))
	comment = s.commit("main", ci, "a comment", nil, map[string]string{prodPath: string(githost.ReleaseLayer("synestra-io", "sha-2222222")) + "# more\n"})
	s.commit("main", ci, "a neighbour", nil, map[string]string{"deploy/env/release-prod/other.yaml": "image: {tag: v1}\n"})
	main := s.commit("main", bob, "values", nil, map[string]string{valuesPath: "replicas: 3\n"})
	side = s.commit("side", person, "three", []string{comment}, layerOf("sha-3333333"))
	side = s.commit("side", bob, "four", []string{side}, layerOf("sha-4444444"))
	side = s.commit("side", ci, "elsewhere", []string{side}, map[string]string{"README": "1"})
	merge = s.commit("main", "Hub <hub@x>", "Merge side", []string{main, side}, mapOf(layerOf("sha-4444444"), "README", "1"))
	long := s.commit("long", person, "five"+strings.Replace(trailers, "01A", "01B", 1), []string{seed}, layerOf("sha-5555555"))
	s.commit("main", "Hub <hub@x>", "Merge long", []string{merge, long}, layerOf("sha-5555555"))
	return s.run(t, h, githost.WebCore), comment, side, merge
}

func mapOf(m map[string]string, path, content string) map[string]string {
	m[path] = content
	return m
}

const (
	fifth  = `sha-4444444→sha-5555555 "five" ann@synestra.io; `
	fourth = `sha-2222222→sha-4444444 "Merge side" bob@synestra.io ann@synestra.io; `
	third  = `sha-2222222→sha-2222222 "values" bob@synestra.io; `
	second = `sha-1111111→sha-2222222 "two" ci@synestra.io; `
	first  = `→sha-1111111 "Seed web-core" ci@synestra.io; `
	now    = `now sha-5555555, whole `
)

func TestHistory(t *testing.T) {
	h := newHost(t)
	seed := tip(t, h)
	marks, comment, side, merge := story(t, h)
	for i, row := range []struct {
		name  string
		since release.Revision
		most  int
		want  string
	}{
		{"all", "", 0, fifth + fourth + third + second + first + now + "true"},
		{"since the first", seed, 0, fifth + fourth + third + second + now + "true"},
		{"since the comment", marks[comment], 0, fifth + fourth + third + now + "true"},
		{"since the merge", marks[merge], 0, fifth + now + "true"},
		{"since now", tip(t, h), 0, now + "true"},
		{"the newest two", "", 2, fifth + fourth + now + "false"},
		{"just as many as there are", marks[comment], 3, fifth + fourth + third + now + "true"},
		{"since a commit that was merged", marks[side], 0, `sha-4444444→sha-5555555 "Merge long" ann@synestra.io bob@synestra.io; ` + now + "true"},
	} {
		t.Run(row.name, func(t *testing.T) {
			fresh := open(t, h)
			fresh.page = []int{5, 6, pageCommits}[i%3]
			if got := say(historyOf(t, fresh, "synestra-io", row.since, row.most)); got != row.want {
				t.Errorf("got  %s\nwant %s", got, row.want)
			}
			// What is known of another question does not change the answer.
			historyOf(t, fresh, "synestra-io", "", 0)
			if got := say(historyOf(t, fresh, "synestra-io", row.since, row.most)); got != row.want {
				t.Errorf("asked again: got  %s\nwant %s", got, row.want)
			}
		})
	}
	all := historyOf(t, open(t, h), "synestra-io", "", 0)
	last, values := all.Edits[0], all.Edits[2]
	if last.Revision != tip(t, h) || last.Revision != all.Tip || last.Trailers["Operation-Id"] != "01B" || last.At.Unix() != 1_800_000_010 {
		t.Errorf("the merge is told as %+v", last)
	}
	if values.Before.Values == values.After.Values || values.Trailers != nil || values.After.Repository != "registry.synestra.io/web/synestra-io" {
		t.Errorf("the values' change is told as %+v", values)
	}
	if got := git(t, h, "rev-parse", "main:"+valuesPath); all.Now.Values != got {
		t.Errorf("the values are %s, want %s", all.Now.Values, got)
	}
}

// TestHistoryWithWeakFilters: hosts that combine no filters, or have none.
func TestHistoryWithWeakFilters(t *testing.T) {
	for _, row := range []struct{ key, value string }{
		{"uploadpackfilter.combine.allow", "false"},
		{"uploadpackfilter.tree.allow", "false"},
		{"uploadpack.allowFilter", "false"},
	} {
		t.Run(row.key, func(t *testing.T) {
			h := newHost(t)
			marks, comment, _, _ := story(t, h)
			if err := h.Configure(t.Context(), githost.WebCore, row.key, row.value); err != nil {
				t.Fatal(err)
			}
			if got, want := say(historyOf(t, open(t, h), "synestra-io", "", 0)), fifth+fourth+third+second+first+now+"true"; got != want {
				t.Errorf("got  %s\nwant %s", got, want)
			}
			if got, want := say(historyOf(t, open(t, h), "synestra-io", marks[comment], 0)), fifth+fourth+third+now+"true"; got != want {
				t.Errorf("since the comment: got  %s\nwant %s", got, want)
			}
		})
	}
}

// TestHistoryAsTheBranchMoves: what comes is added; what a rewritten branch has
// lost is no longer told, and the list is not whole.
func TestHistoryAsTheBranchMoves(t *testing.T) {
	h := newHost(t)
	r := open(t, h)
	seed := tip(t, h)
	if got := say(historyOf(t, r, "synestra-io", "", 0)); got != first+"now sha-1111111, whole true" {
		t.Errorf("at first: %s", got)
	}
	put := func(tag, message string) release.Revision {
		files := map[string][]byte{prodPath: githost.ReleaseLayer("synestra-io", tag)}
		hash, err := h.Commit(t.Context(), githost.WebCore, ci, message, files)
		if err != nil {
			t.Fatal(err)
		}
		return release.Revision(hash)
	}
	two := put("sha-7777777", "two")
	put("sha-3333333", "three")
	h.ResetCounts()
	if got, want := say(historyOf(t, r, "synestra-io", two, 0)), `sha-7777777→sha-3333333 "three" ci@synestra.io; now sha-3333333, whole true`; got != want {
		t.Errorf("two commits later: %s", got)
	}
	if c := h.Counts(); c[githost.LsRefs].Requests != 1 || c[githost.Fetch].Requests != 1 {
		t.Errorf("two commits more took %v, want one fetch", c)
	}
	h.ResetCounts()
	mine, err := r.Apply(t.Context(), change(prodPath, "sha-3333333", "sha-4444444", seed, "01A"))
	if err != nil {
		t.Fatal(err)
	}
	got := historyOf(t, r, "synestra-io", two, 0)
	if len(got.Edits) != 2 || got.Edits[0].Revision != mine || got.Edits[0].Trailers["Operation-Id"] != "01A" || !got.Whole {
		t.Errorf("after our own commit: %s", say(got))
	}
	if c := h.Counts(); c[githost.Fetch].Requests != 0 {
		t.Errorf("our own commit was fetched: %v", c)
	}
	git(t, h, "update-ref", "refs/heads/main", string(seed))
	put("sha-9999999", "nine")
	want := `sha-1111111→sha-9999999 "nine" ci@synestra.io; ` + first + "now sha-9999999, whole false"
	for _, since := range []release.Revision{mine, two, "1111111111111111111111111111111111111111"} {
		for name, r := range map[string]*Repo{"the same": r, "another": open(t, h)} {
			if got := say(historyOf(t, r, "synestra-io", since, 0)); got != want {
				t.Errorf("rewritten, since %s, %s process: %s", since.Short(), name, got)
			}
		}
	}
}

func TestHistoryRefuses(t *testing.T) {
	h := newHost(t)
	r := open(t, h)
	if _, err := r.History(t.Context(), "synestra-io", "stage", "", 0); err == nil || !strings.Contains(err.Error(), `no environment "stage"`) {
		t.Errorf("an unknown environment: %v", err)
	}
	if _, err := r.History(t.Context(), "synestra-io", "prod", "main", 0); err == nil || !strings.Contains(err.Error(), "not a commit") {
		t.Errorf("a branch: %v", err)
	}
	if got := historyOf(t, r, "nobody", "", 0); len(got.Edits) != 0 || !got.Whole || got.Now.Tag != "" {
		t.Errorf("an app that never was: %s", say(got))
	}
	h.Intercept(func(q githost.Request) githost.Fault {
		if q.Kind == githost.Fetch {
			return githost.Fault{Status: http.StatusServiceUnavailable}
		}
		return githost.Fault{}
	})
	if _, err := open(t, h).History(t.Context(), "synestra-io", "prod", "", 0); err == nil {
		t.Error("a host that fails gave a history")
	}
}

// TestHistoryIsWhatGitSays compares random histories with merges to what the git
// command line shows of them.
func TestHistoryIsWhatGitSays(t *testing.T) {
	h := newHost(t)
	const seeds = 4
	for seed := range uint64(seeds) {
		rnd := rand.New(rand.NewPCG(seed, 3))
		random(t, h, rnd)
		r := open(t, h)
		if seed%2 == 1 {
			r.page = 7
		}
		line, changed := changes(t, h)
		tags := git(t, h, "grep", "tag", "main", "--", "deploy/env/release-prod")
		for _, app := range []string{"a", "b", "c"} {
			for _, at := range []int{len(line) - 1, rnd.IntN(len(line)), 0} {
				got := historyOf(t, r, release.App(app), release.Revision(line[at]), 0)
				want := slices.DeleteFunc(slices.Clone(changed[app]), func(c string) bool { return slices.Index(line, c) >= at })
				if !got.Whole || !slices.Equal(editsOf(t, got), want) || string(got.Now.Tag) != tagAt(tags, app) {
					t.Errorf("seed %d, %s since %.7s: got %s\nof %v, want %v", seed, app, line[at], say(got), editsOf(t, got), want)
				}
			}
		}
	}
}

func file3(app string) string { return "deploy/env/release-prod/" + app + ".yaml" }

// random makes a history of 60 commits on a few branches that merge each other.
func random(t *testing.T, h *githost.Host, rnd *rand.Rand) {
	t.Helper()
	var s script
	root := s.commit("main", ci, "root", nil, map[string]string{file3("a"): "image: {tag: v0}\n"})
	s.Buffer.WriteString("reset refs/heads/x\nfrom " + root + "\n\n")
	tips := map[string]string{"main": root, "x": root}
	for n := range 60 {
		branch, other := "main", "x"
		if rnd.IntN(2) == 0 {
			branch, other = other, branch
		}
		files := map[string]string{}
		switch app := []string{"a", "b", "c"}[rnd.IntN(3)]; rnd.IntN(4) {
		case 0:
			files["README"] = fmt.Sprint(n)
		case 1:
			files["deploy/env/prod/"+app+".yaml"] = fmt.Sprintf("n: %d\n", rnd.IntN(3))
		default:
			files[file3(app)] = fmt.Sprintf("image: {tag: v%d}\n", rnd.IntN(4))
		}
		parents := []string{tips[branch]}
		if rnd.IntN(5) == 0 && tips[other] != tips[branch] {
			parents = append(parents, tips[other])
		}
		tips[branch] = s.commit(branch, fmt.Sprintf("p%d <p%[1]d@x>", rnd.IntN(4)), fmt.Sprint("n", n), parents, files)
	}
	s.run(t, h, githost.WebCore)
}

// editsOf are the commits of edits, each of which must begin where the one
// before it ended.
func editsOf(t *testing.T, h release.History) []string {
	t.Helper()
	var found []string
	now := h.Now
	for _, e := range h.Edits {
		if !e.After.Same(now) || len(e.Authors) == 0 {
			t.Errorf("%+v leads to %+v", e, now)
		}
		found, now = append(found, string(e.Revision)), e.Before
	}
	return found
}

// changes are the commits of the branch, the newest first, and of each app those
// that change its layer or its values, as git log has them.
func changes(t *testing.T, h *githost.Host) (line []string, of map[string][]string) {
	t.Helper()
	of = map[string][]string{}
	for word := range strings.FieldsSeq(git(t, h, "log", "--first-parent", "-m", "--name-only", "--format=%H", "main")) {
		folder, name := path.Split(word)
		switch app := strings.TrimSuffix(name, ".yaml"); {
		case name == "README":
		case folder == "":
			line = append(line, word)
		case !slices.Contains(of[app], line[len(line)-1]):
			of[app] = append(of[app], line[len(line)-1])
		}
	}
	return line, of
}

// tagAt is an app's tag among the layers that git grep has printed, "" if it has none.
func tagAt(printed, app string) string {
	_, tag, _ := strings.Cut(printed, "main:"+file3(app)+":image: {tag: ")
	tag, _, _ = strings.Cut(tag, "}")
	return tag
}

// TestHistoryOfAMonorepoTakesFewRequests: 200 apps, 400 commits.
func TestHistoryOfAMonorepoTakesFewRequests(t *testing.T) {
	h := newHost(t)
	var s script
	monorepo(&s, 200, 400)
	marks := s.run(t, h, githost.WebCore)
	r := open(t, h)
	if _, _, err := r.Contents(t.Context(), "prod"); err != nil {
		t.Fatal(err)
	}
	cost := func(name string, fetches int, bytes int64, f func()) {
		t.Helper()
		h.ResetCounts()
		f()
		c := h.Counts()
		t.Logf("%s: %v", name, c)
		if c[githost.LsRefs].Requests > 1 || c[githost.Fetch].Requests > fetches || c[githost.Fetch].Down > bytes {
			t.Errorf("%s took %v, want at most %d fetches of %d bytes", name, c, fetches, bytes)
		}
	}
	cost("all of one app", 2, 250_000, func() {
		if got := historyOf(t, r, "app-7", "", 0); !got.Whole || len(got.Edits) != 3 {
			t.Errorf("got %s", say(got))
		}
	})
	cost("all of another app", 1, 2_000, func() { historyOf(t, r, "app-8", "", 0) })
	cost("the same again", 0, 0, func() { historyOf(t, r, "app-8", "", 0) })
	since := marks[":301"] // the last is 401
	fresh := open(t, h)
	cost("the last hundred, at the start", 4, 150_000, func() { historyOf(t, fresh, "app-7", since, 0) })
	commitAs(t, h, ci, map[string][]byte{file3("app-7"): []byte("image: {tag: new}\n")})
	cost("one commit more", 1, 10_000, func() {
		if got := historyOf(t, r, "app-7", since, 0); got.Edits[0].After.Tag != "new" {
			t.Errorf("got %s", say(got))
		}
	})
}

// monorepo makes apps, and commits that each give one of them a tag.
func monorepo(s *script, apps, commits int) {
	files := map[string]string{}
	for n := range apps {
		files[file3(fmt.Sprint("app-", n))] = string(githost.ReleaseLayer("x", "sha-0000000"))
		files[fmt.Sprintf("deploy/env/prod/app-%d.yaml", n)] = "replicas: 2\n"
		for i := range 5 {
			files[fmt.Sprintf("apps/%d/%d.yaml", n, i)] = fmt.Sprint(n, i)
		}
	}
	s.commit("main", ci, "root", nil, files)
	for n := range commits {
		app := fmt.Sprint("app-", n%apps)
		s.commit("main", ci, fmt.Sprint("commit ", n), nil, map[string]string{file3(app): string(githost.ReleaseLayer("x", fmt.Sprintf("sha-%07d", n+1)))})
	}
}

// Who pulls before a push merges the branch into a line of their own: what was
// known is then on no first parent, and nothing of it is told again.
func TestHistoryOverAPull(t *testing.T) {
	h := newHost(t)
	r := open(t, h)
	seed := string(tip(t, h))
	var s script
	two := s.commit("main", ci, "two\n\nOperation-Id: 01A\n", []string{seed}, layerOf("sha-2222222"))
	mine := s.commit("mine", bob, "values", []string{seed}, map[string]string{valuesPath: "replicas: 3\n"})
	s.commit("main", bob, "Merge branch 'main'", []string{mine, two}, layerOf("sha-2222222"))
	marks := s.run(t, h, githost.WebCore)
	got := historyOf(t, r, "synestra-io", marks[two], 0)
	if want := `sha-2222222→sha-2222222 "values" bob@synestra.io; now sha-2222222, whole true`; say(got) != want {
		t.Errorf("%s, want %s", say(got), want)
	}
	if len(got.Edits) == 1 && (got.Edits[0].Trailers["Operation-Id"] != "" || got.Edits[0].Revision != got.Tip) {
		t.Errorf("it is %+v", got.Edits[0])
	}
	if got := say(historyOf(t, r, "other", marks[two], 0)); got != "now , whole true" {
		t.Errorf("of another app: %s", got)
	}
}
