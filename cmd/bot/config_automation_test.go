package main

import (
	"reflect"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/synestra/promoter/internal/automation"
	"github.com/synestra/promoter/internal/release"
)

// What the example has commented out is a configuration, too: that of all that
// happens unasked.
func TestConfigOfTheWholeExample(t *testing.T) {
	c, err := parseConfig(example, wholeExample(t), tokens("SOURCE_TOKEN=source-1"))
	if err != nil {
		t.Fatal(err)
	}
	if c.align() != release.AlignWhenBehind {
		t.Errorf("align: %s", c.align())
	}
	routes := []automation.Route{{Apps: []string{"*"}, Environments: []string{"prod"}, Channels: []string{"C0123456789"}, Mute: []release.NoticeKind{release.NoticeChart}}}
	if got := c.notices(); !reflect.DeepEqual(got, routes) {
		t.Errorf("notices: %+v", got)
	}
	berlin, err := automation.Zone("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	work, err := automation.NewSchedule("0 9 * * 1-5", berlin)
	if err != nil {
		t.Fatal(err)
	}
	open, err := automation.NewWindow(work, 8*time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := c.autoPromote(), []automation.AutoPromote{{Apps: []string{"shop-*"}, Soak: 30 * time.Minute, Window: open}}; !reflect.DeepEqual(got, want) {
		t.Errorf("auto_promote: %+v\nwant %+v", got, want)
	}
	mondays, err := automation.NewSchedule("0 9 * * 1", berlin)
	if err != nil {
		t.Fatal(err)
	}
	jobs := []automation.Job{{
		Name: "waiting", Kind: release.NoticeReminder, Schedule: mondays, Channel: "C0123456789", Apps: []string{"*"}, Older: 72 * time.Hour,
	}}
	if got := c.schedules(); !reflect.DeepEqual(got, jobs) {
		t.Errorf("schedules: %+v\nwant %+v", got, jobs)
	}
	expectSource(t, c, automation.Source{
		Apps: []string{"synestra-io"}, Repository: "https://github.com/synestra/site.git", Username: "x-access-token",
		Tag: regexp.MustCompile("^sha-([0-9a-f]{7,40})$"), Compare: "https://github.com/synestra/site/compare/{from}...{to}",
	}, "source-1")
}

// expectSource compares the only source.
func expectSource(t *testing.T, c config, want automation.Source, token string) {
	t.Helper()
	got := c.sources()
	if len(got) != 1 {
		t.Fatalf("sources: %+v", got)
	}
	if value, err := got[0].Token(t.Context()); value != token || err != nil {
		t.Errorf("token: %q, %v", value, err)
	}
	if got[0].Token = nil; !reflect.DeepEqual(got[0], want) {
		t.Errorf("source: %+v\nwant %+v", got[0], want)
	}
}

// What entries may leave out.
func TestConfigOfEntriesThatSayLittle(t *testing.T) {
	c, err := parseConfig("c", []byte(needed+`
align: always
auto_promote: [{apps: [a], soak: 1m}, {apps: [b], soak: 1h, window: {cron: "@daily", for: 48h}}]
sources: [{apps: ["*"], repository: "https://gitlab.com/synestra/site"}]
schedules: [{name: a, kind: digest, cron: "@weekly", channel: G12, apps: [a]}]
`), tokens())
	if err != nil {
		t.Fatal(err)
	}
	if c.align() != release.AlignAlways {
		t.Errorf("align: %s", c.align())
	}
	want := []automation.Route{{Apps: []string{"*"}, Environments: []string{"prod"}, Channels: []string{"C0123456789"}}}
	if got := c.notices(); !reflect.DeepEqual(got, want) {
		t.Errorf("notices: %+v", got)
	}
	rules := c.autoPromote()
	if rules[0].Window != nil {
		t.Errorf("a window that nobody asked for: %v", rules[0].Window)
	}
	noon := time.Date(2026, time.November, 24, 12, 0, 0, 0, time.UTC)
	if w := rules[1].Window; w == nil || !w.Open(noon) {
		t.Errorf("a window longer than its period: %v", w)
	}
	midnight := time.Date(2026, time.November, 22, 0, 0, 0, 0, time.UTC)
	if got, due := c.schedules()[0].Schedule.Due(midnight.Add(-time.Second), noon); !due || !got.Equal(midnight) {
		t.Errorf("without a zone: %v %v", got, due)
	}
	expectSource(t, c, automation.Source{
		Apps: []string{"*"}, Repository: "https://gitlab.com/synestra/site", Username: "x-access-token", Tag: regexp.MustCompile("^sha-([0-9a-f]{7,40})$"),
	}, "")

	c, err = parseConfig("c", []byte(needed+"notices: {routes: []}"), tokens())
	if got := c.notices(); err != nil || len(got) != 0 {
		t.Errorf("no routes at all: %+v, %v", got, err)
	}
}

// Each row is a file, and all that is wrong with it.
func TestConfigProblemsOfAutomation(t *testing.T) {
	const (
		apps     = ` must be an app's name or a pattern such as "shop-*"`
		kinds    = " must be one of release, rollback, settings, chart, drift, regression, alignment, summary"
		compare  = "c:3: sources[0].compare must be a web address with {from} and {to} in it, such as https://github.com/synestra/site/compare/{from}...{to}"
		byName   = " must be the channel's id, not its name; Slack shows it at the end of the channel's details"
		channels = " must be a channel's id, such as C0123456789"
	)
	source := func(rest string) string {
		return "sources: [{apps: ['*'], repository: 'https://github.com/a/b', " + rest + "}]"
	}
	job := func(rest string) string {
		return "schedules: [{name: a, kind: digest, cron: '0 9 * * 1', channel: C12, apps: ['*'], " + rest + "}]"
	}
	tests := []struct {
		name, yaml string // needed comes first, in lines 1 and 2
		want       []string
	}{
		{"align", "align: sometimes", []string{"c:3: align must be one of never, when-behind, always"}},
		{"align, empty", "align: ''", []string{"c:3: align must be one of never, when-behind, always"}},
		{"align, nearly", "align: Never", []string{"c:3: align must be one of never, when-behind, always"}},

		{"no rule", "auto_promote: [{}]", []string{
			`c:3: auto_promote[0].apps is missing: app names, or patterns such as "*"`,
			"c:3: auto_promote[0].soak must be at least 1m: how long a release must have been well in dev",
		}},
		{"a rule with all wrong", "auto_promote:\n- {apps: [a], soak: 30m}\n- apps: ['[', '']\n  soak: 59s\n  window:\n    cron: '0 25 * * *'\n    zone: Europe/Berlim\n    for: 0s", []string{
			"c:5: auto_promote[1].apps[0]" + apps,
			"c:5: auto_promote[1].apps[1]" + apps,
			"c:6: auto_promote[1].soak must be at least 1m: how long a release must have been well in dev",
			`c:8: auto_promote[1].window.cron "0 25 * * *" is not a cron expression such as "0 9 * * 1-5": end of range (25) above maximum (23): 25`,
			`c:9: auto_promote[1].window.zone "Europe/Berlim" is not a time zone such as Europe/Berlin or UTC`,
			"c:10: auto_promote[1].window.for must be a time above zero, such as 8h: how long the window stays open",
		}},
		{"an empty window", "auto_promote:\n- {apps: [a], soak: 30m, window: {}}", []string{
			`c:4: auto_promote[0].window.cron is missing: a cron expression such as "0 9 * * 1-5"`,
			"c:4: auto_promote[0].window.for must be a time above zero, such as 8h: how long the window stays open",
		}},
		{"text for a window", "auto_promote: [{apps: [a], soak: 30m, window: always}]", []string{"c:3: auto_promote[0].window must hold keys, such as cron, zone, for"}},
		{"a key in a window", "auto_promote: [{apps: [a], soak: 30m, window: {cron: '@daily', for: 1h, timezone: UTC}}]", []string{
			"c:3: auto_promote[0].window.timezone is not a key; known here: cron, zone, for",
		}},
		{"a day that never comes", "auto_promote: [{apps: [a], soak: 30m, window: {cron: '0 9 31 2 *', for: 1h, zone: Local}}]", []string{
			`c:3: auto_promote[0].window.cron "0 9 31 2 *" is not a cron expression such as "0 9 * * 1-5": that day never comes`,
			`c:3: auto_promote[0].window.zone "Local" is not a time zone such as Europe/Berlin or UTC`,
		}},

		{"an empty route", "notices: {routes: [{}]}", []string{
			`c:3: notices.routes[0].apps is missing: app names, or patterns such as "*"`,
			"c:3: notices.routes[0].channels is missing: ids of channels, such as C0123456789",
			"c:3: notices.routes[0].environments is missing: any of dev, prod",
		}},
		{"a route with all wrong", "notices:\n  routes:\n  - {apps: ['['], environments: [staging], channels: ['#releases', releases, '', U12]\n    , mute: [releases, digest]}", []string{
			"c:5: notices.routes[0].apps[0]" + apps,
			"c:5: notices.routes[0].channels[0]" + byName,
			"c:5: notices.routes[0].channels[1]" + channels,
			"c:5: notices.routes[0].channels[2] is missing: the id of a channel, such as C0123456789; Slack shows it at the end of the channel's details",
			"c:5: notices.routes[0].channels[3]" + channels,
			"c:5: notices.routes[0].environments[0] must be one of dev, prod",
			"c:6: notices.routes[0].mute[0]" + kinds,
			"c:6: notices.routes[0].mute[1]" + kinds,
		}},
		{"routes one too high", "routes: []", []string{"c:3: routes is not a key; did you mean notices.routes?"}},

		{"an empty source", "sources: [{}]", []string{
			`c:3: sources[0].apps is missing: app names, or patterns such as "*"`,
			"c:3: sources[0].repository is missing: the repository's https:// URL",
		}},
		{"a source with all wrong", "sources:\n- apps: ['[']\n  repository: git@github.com:a/b.git\n  username: 'a:b'\n  tag: '(a'\n  compare: x", []string{
			"c:4: sources[0].apps[0]" + apps,
			"c:5: sources[0].repository must be an https:// URL: SSH is not supported yet",
			"c:6: sources[0].username must be a user name; GitHub takes x-access-token, GitLab oauth2",
			"c:7: sources[0].tag must be a regular expression: error parsing regexp: missing closing ): `(a`",
			strings.Replace(compare, "c:3", "c:8", 1),
		}},
		{"no group", source("tag: 'sha-[0-9a-f]{7}'"), []string{"c:3: sources[0].tag must have exactly one group, around the commit, as ^sha-([0-9a-f]{7,40})$ has"}},
		{"two groups", source("tag: '(sha|v)-([0-9a-f]{7})'"), []string{"c:3: sources[0].tag must have exactly one group, around the commit, as ^sha-([0-9a-f]{7,40})$ has"}},
		{"a group that is none", source("tag: '(?:sha|v)-([0-9a-f]{7})'"), nil},
		{"a repository with a password", "sources: [{apps: ['*'], repository: 'https://a:hunter2@github.com/a/b'}]", []string{
			"c:3: sources[0].repository must hold no user or password: set it in the environment as SOURCE_TOKEN, or the path of a file that holds it as SOURCE_TOKEN_FILE",
		}},
		{"nothing to compare with", source("compare: 'https://github.com/a/b/commit/{to}'"), []string{compare}},
		{"another place to fill", source("compare: 'https://github.com/{app}/compare/{from}...{to}'"), []string{compare}},
		{"a script to compare with", source("compare: 'javascript:alert(\"{from}{to}\")'"), []string{compare}},
		{"a password to compare with", source("compare: 'https://a:hunter2@github.com/{from}...{to}'"), []string{compare}},
		{"a link that ends early", source("compare: 'https://github.com/{from}|{to}>'"), []string{compare}},
		{"several hosts, read by anyone", "sources: [{apps: [a], repository: 'https://github.com/a/b'}, {apps: [b], repository: 'https://gitlab.com/a/b'}]", nil},

		{"an empty schedule", "schedules: [{}]", []string{
			`c:3: schedules[0].apps is missing: app names, or patterns such as "*"`,
			"c:3: schedules[0].channel is missing: the id of the channel for it, such as C0123456789; Slack shows it at the end of the channel's details",
			`c:3: schedules[0].cron is missing: a cron expression such as "0 9 * * 1-5"`,
			"c:3: schedules[0].kind must be one of digest, reminder",
			"c:3: schedules[0].name must be a name of its own, such as weekly: letters, digits, dots and dashes",
		}},
		{"a name that is more", "schedules: [{name: 'a: b', kind: digest, cron: '@daily', channel: C12, apps: ['*']}]", []string{
			"c:3: schedules[0].name must be a name of its own, such as weekly: letters, digits, dots and dashes",
		}},
		{"one name for two", "schedules:\n- {name: a, kind: digest, cron: '@daily', channel: C12, apps: ['*']}\n- {name: b, kind: digest, cron: '@daily', channel: C12, apps: ['*']}\n- {name: a, kind: digest, cron: '@daily', channel: C12, apps: ['*']}", []string{
			"c:6: schedules[2].name is the same as schedules[0].name",
		}},
		{"an announcement by the clock", "schedules: [{name: a, kind: release, cron: '@daily', channel: C12, apps: ['*']}]", []string{"c:3: schedules[0].kind must be one of digest, reminder"}},
		{"a reminder of anything", "schedules: [{name: a, kind: reminder, cron: '@daily', channel: C12, apps: ['*']}]", []string{
			"c:3: schedules[0].older must be a time above zero, such as 72h: how long a release has waited in dev",
		}},
		{"a reminder of what comes", "schedules: [{name: a, kind: reminder, cron: '@daily', channel: C12, apps: ['*'], older: -72h}]", []string{
			"c:3: schedules[0].older must be a time above zero, such as 72h: how long a release has waited in dev",
		}},
		{"a digest of old things", job("older: 72h"), []string{"c:3: schedules[0].older is only for a reminder: leave it out"}},
		{"days", job("older: 3d"), []string{"c:3: schedules[0].older must be a time such as 90s, 15m or 1h30m"}},
		{"a zone", job("zone: Mars/Olympus"), []string{`c:3: schedules[0].zone "Mars/Olympus" is not a time zone such as Europe/Berlin or UTC`}},
		{"a channel by name", "schedules: [{name: a, kind: digest, cron: '@daily', channel: '#a', apps: ['*']}]", []string{"c:3: schedules[0].channel" + byName}},
		{"seconds", "schedules: [{name: a, kind: digest, cron: '0 0 9 * * 1', channel: C12, apps: ['*']}]", []string{
			`c:3: schedules[0].cron "0 0 9 * * 1" is not a cron expression such as "0 9 * * 1-5": expected exactly 5 fields, found 6: [0 0 9 * * 1]`,
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) { expectProblems(t, needed+tt.yaml, tokens(), tt.want) })
	}
}

// A token is shown to one host only.
func TestConfigOfSourcesOnSeveralHosts(t *testing.T) {
	const file = needed + "sources:\n- {apps: [a], repository: 'https://github.com/a/b'}\n- {apps: [b], repository: 'https://gitlab.com/a/b'}\n- {apps: [c], repository: 'https://github.com/a/c'}"
	expectProblems(t, file, tokens("SOURCE_TOKEN=source-1"), []string{
		"c:5: sources[1].repository is not on github.com, as the one before is: SOURCE_TOKEN would be shown to both",
	})
}
