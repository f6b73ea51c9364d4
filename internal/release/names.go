package release

import (
	"cmp"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"
)

// App names one application: the stem of its release layer files. It becomes
// part of paths and of Argo CD Application names, so it exists only through
// [ParseApp].
type App string

// Dots are allowed between other characters only, so that no name is ".." or
// hidden; 53 characters leave room for "web-" and "-prod" in a DNS label.
var appPattern = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]|\.[a-z0-9]){0,52}$`)

// ParseApp is the only way from text to an App.
func ParseApp(s string) (App, error) {
	if !appPattern.MatchString(s) || len(s) > 53 {
		return "", fmt.Errorf("%q is not an app name: lower-case letters, digits, dots and dashes, at most 53", clip(s, 60))
	}
	return App(s), nil
}

// Tag is an image tag.
type Tag string

// The grammar of a tag in the OCI distribution specification.
var tagPattern = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9._-]{0,127}$`)

// ParseTag is the only way from text to a Tag that may be written to a layer.
func ParseTag(s string) (Tag, error) {
	if !tagPattern.MatchString(s) {
		return "", fmt.Errorf("%q is not an image tag", clip(s, 140))
	}
	return Tag(s), nil
}

// Revision is a full Git commit hash in lower-case hex (SHA-1 or SHA-256), or
// whatever Argo CD put where one belongs; see [Revision.IsCommit].
type Revision string

var commitPattern = regexp.MustCompile(`^([0-9a-f]{40}|[0-9a-f]{64})$`)

// IsCommit tells a commit hash from a branch name, a chart version or nothing.
func (r Revision) IsCommit() bool { return commitPattern.MatchString(string(r)) }

// Short is the abbreviated form for people.
func (r Revision) Short() string { return clipBytes(string(r), 7) }

// Nearest lists at most three known apps that s may have been meant as, best
// first: at most a third of the letters wrong, or s as a part of the name.
func Nearest(s string, known []App) []App {
	s = strings.ToLower(s)
	type candidate struct {
		app  App
		miss int
	}
	var found []candidate
	for _, app := range known {
		miss := distance(s, string(app))
		switch {
		case miss <= max(1, len(app)/3):
		case len(s) >= 3 && strings.Contains(string(app), s):
			miss = 1
		default:
			continue
		}
		found = append(found, candidate{app, miss})
	}
	slices.SortFunc(found, func(a, b candidate) int {
		return cmp.Or(cmp.Compare(a.miss, b.miss), cmp.Compare(a.app, b.app))
	})
	var names []App
	for _, c := range found[:min(3, len(found))] {
		names = append(names, c.app)
	}
	return names
}

// distance is the number of letters to insert, delete, replace or swap with a
// neighbour (optimal string alignment). Long input is far from everything.
func distance(a, b string) int {
	if len(a) > 64 || len(b) > 64 {
		return 64
	}
	before, last := make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range last {
		last[j] = j
	}
	for i := 1; i <= len(a); i++ {
		row := make([]int, len(b)+1)
		row[0] = i
		for j := 1; j <= len(b); j++ {
			same := 1
			if a[i-1] == b[j-1] {
				same = 0
			}
			row[j] = min(last[j]+1, row[j-1]+1, last[j-1]+same)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
		}
		before, last = last, row
	}
	return last[len(b)]
}

// clip shortens s to n characters for a message, the mark of it included.
func clip(s string, n int) string {
	if utf8.RuneCountInString(s) <= n {
		return s
	}
	return string([]rune(s)[:n-1]) + "…"
}

func clipBytes(s string, n int) string { return s[:min(n, len(s))] }
