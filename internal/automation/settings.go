package automation

import (
	"context"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/synestra/promoter/internal/release"
)

// Route is where notices go. Apps are patterns as in permissions.
type Route struct {
	Apps         []string
	Environments []string
	Channels     []string             // Slack ids
	Mute         []release.NoticeKind // kinds that this route leaves out
}

// Routes lists the channels that are told of something, each once.
func Routes(routes []Route, app release.App, environment string, kind release.NoticeKind) []string {
	var channels []string
	for _, r := range routes {
		if !release.Covers(r.Apps, app) || !slices.Contains(r.Environments, environment) || slices.Contains(r.Mute, kind) {
			continue
		}
		for _, channel := range r.Channels {
			if !slices.Contains(channels, channel) {
				channels = append(channels, channel)
			}
		}
	}
	return channels
}

// Source is the repository that apps are built from.
type Source struct {
	Apps       []string
	Repository string                                // its https:// URL
	Username   string                                // that goes with the token
	Token      func(context.Context) (string, error) // as it is now; "" for a repository that anyone may read
	Tag        *regexp.Regexp                        // finds the commit in a tag: its only group
	Compare    string                                // web address with {from} and {to} in it, "" if there is none
}

// SourceOf is the first source of an app.
func SourceOf(sources []Source, app release.App) (Source, bool) {
	return first(sources, app, func(s Source) []string { return s.Apps })
}

var abbreviated = regexp.MustCompile(`^[0-9a-f]{7,64}$`)

// Commit is the commit that a tag was built from, as the tag has it: mostly
// abbreviated. ok is false if it names none.
func (s Source) Commit(tag release.Tag) (commit string, ok bool) {
	found := s.Tag.FindStringSubmatch(string(tag))
	if len(found) != 2 || !abbreviated.MatchString(found[1]) {
		return "", false
	}
	return found[1], true
}

// Difference is the web address that shows what lies between two releases: by
// commit, or by tag where a tag names no commit. It is "" if there is none.
func (s Source) Difference(from, to release.Tag) string {
	if s.Compare == "" || from == "" || to == "" {
		return ""
	}
	name := func(tag release.Tag) string {
		if commit, ok := s.Commit(tag); ok {
			return commit
		}
		return url.QueryEscape(string(tag)) // a tag's characters need none of it
	}
	return strings.NewReplacer("{from}", name(from), "{to}", name(to)).Replace(s.Compare)
}

// AutoPromote is a rule for releases that go to prod by themselves.
type AutoPromote struct {
	Apps   []string
	Soak   time.Duration  // how long dev must have been well on a release
	Window release.Window // when it may happen, nil for always
}

// AutoPromoteOf is the first rule for an app: it alone decides.
func AutoPromoteOf(rules []AutoPromote, app release.App) (AutoPromote, bool) {
	return first(rules, app, func(a AutoPromote) []string { return a.Apps })
}

// Job is what is told on a schedule.
type Job struct {
	Name     string             // no two have the same
	Kind     release.NoticeKind // a digest or a reminder
	Schedule Schedule
	Channel  string // Slack id
	Apps     []string
	Older    time.Duration // of a reminder: how long a release must have waited
}

// first is the first of the settings whose apps cover the app.
func first[T any](all []T, app release.App, apps func(T) []string) (found T, ok bool) {
	i := slices.IndexFunc(all, func(one T) bool { return release.Covers(apps(one), app) })
	if i < 0 {
		return found, false
	}
	return all[i], true
}
