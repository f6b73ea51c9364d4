package automation

import (
	"regexp"
	"slices"
	"testing"
	"time"

	"github.com/synestra/promoter/internal/release"
)

func TestRoutes(t *testing.T) {
	routes := []Route{
		{Apps: []string{"*"}, Environments: []string{"prod"}, Channels: []string{"C1"}, Mute: []release.NoticeKind{release.NoticeChart}},
		{Apps: []string{"docs", "shop-*"}, Environments: []string{"dev", "prod"}, Channels: []string{"C2", "C1"}},
		{Apps: []string{"shop-web"}, Environments: []string{"prod"}, Channels: []string{"C3", "C2"}},
	}
	tests := []struct {
		name, app, environment string
		kind                   release.NoticeKind
		want                   []string
	}{
		{"one route", "landing", "prod", release.NoticeRelease, []string{"C1"}},
		{"muted", "landing", "prod", release.NoticeChart, nil},
		{"muted in one, not in the other", "docs", "prod", release.NoticeChart, []string{"C2", "C1"}},
		{"each once", "shop-web", "prod", release.NoticeDrift, []string{"C1", "C2", "C3"}},
		{"dev", "shop-web", "dev", release.NoticeRelease, []string{"C2", "C1"}},
		{"no route", "landing", "dev", release.NoticeRelease, nil},
	}
	for _, tt := range tests {
		if got := Routes(routes, release.App(tt.app), tt.environment, tt.kind); !slices.Equal(got, tt.want) {
			t.Errorf("%s: %q, want %q", tt.name, got, tt.want)
		}
	}
}

func TestSource(t *testing.T) {
	s := Source{
		Tag:     regexp.MustCompile(`^sha-([0-9a-f]{7,40})$|^v`), // where the group may be no part of the match
		Compare: "https://github.com/synestra/site/compare/{from}...{to}",
	}
	tests := []struct{ from, to, want string }{
		{"sha-1a2b3c4", "sha-9f8e7d6", "https://github.com/synestra/site/compare/1a2b3c4...9f8e7d6"},
		{"v1.2", "sha-9f8e7d6", "https://github.com/synestra/site/compare/v1.2...9f8e7d6"},
		{"latest", "v1/../x?y#z", "https://github.com/synestra/site/compare/latest...v1%2F..%2Fx%3Fy%23z"},
		{"{to}", "b", "https://github.com/synestra/site/compare/%7Bto%7D...b"},
		{"", "sha-9f8e7d6", ""},
		{"sha-9f8e7d6", "", ""},
	}
	for _, tt := range tests {
		if got := s.Difference(release.Tag(tt.from), release.Tag(tt.to)); got != tt.want {
			t.Errorf("%s to %s: %s, want %s", tt.from, tt.to, got, tt.want)
		}
	}
	if got := (Source{Tag: s.Tag}).Difference("a", "b"); got != "" {
		t.Errorf("without a template: %s", got)
	}
	whole := Source{Tag: regexp.MustCompile(`^(.*)$`)}
	for tag, want := range map[release.Tag]string{"1a2b3c4": "1a2b3c4", "1a2b3c": "", "main": "", "": ""} {
		if got, ok := whole.Commit(tag); got != want || ok != (want != "") {
			t.Errorf("the commit of %q: %q %v, want %q", tag, got, ok, want)
		}
	}
}

func TestFirstThatCovers(t *testing.T) {
	rules := []AutoPromote{
		{Apps: []string{"shop-*"}, Soak: time.Hour},
		{Apps: []string{"docs", "shop-web"}, Soak: time.Minute},
	}
	for app, want := range map[release.App]time.Duration{"shop-web": time.Hour, "docs": time.Minute, "landing": 0} {
		if got, ok := AutoPromoteOf(rules, app); got.Soak != want || ok != (want != 0) {
			t.Errorf("%s: %v %v, want %v", app, got.Soak, ok, want)
		}
	}
	sources := []Source{{Apps: []string{"a*"}, Repository: "1"}, {Apps: []string{"*"}, Repository: "2"}}
	for app, want := range map[release.App]string{"a1": "1", "b": "2"} {
		if got, ok := SourceOf(sources, app); got.Repository != want || !ok {
			t.Errorf("%s: %v", app, got.Repository)
		}
	}
}
