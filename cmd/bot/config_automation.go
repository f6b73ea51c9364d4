package main

import (
	"cmp"
	"fmt"
	"net/url"
	"regexp"
	"strings"
	"time"

	"github.com/synestra/promoter/internal/automation"
	"github.com/synestra/promoter/internal/release"
)

// autoPromotion, source and schedule are entries of the lists of what happens
// unasked, as the file has them.
type (
	autoPromotion struct {
		Apps   []string
		Soak   time.Duration
		Window *window
	}
	window struct {
		Cron, Zone string
		For        time.Duration
	}
	source struct {
		Apps                               []string
		Repository, Username, Tag, Compare string
	}
	schedule struct {
		Name                string
		Kind                release.NoticeKind
		Cron, Zone, Channel string
		Apps                []string
		Older               time.Duration
	}
)

// What entries have that leave it out.
const (
	defaultZone           = "UTC"
	defaultSourceUsername = "x-access-token"
	defaultSourceTag      = "^sha-([0-9a-f]{7,40})$"
)

const leastSoak = time.Minute

var (
	jobName    = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9.-]*$`)
	alignModes = []release.AlignMode{release.AlignNever, release.AlignWhenBehind, release.AlignAlways}
	// Kinds that go by routes, and those that have a channel of their own.
	routedKinds = []release.NoticeKind{
		release.NoticeRelease, release.NoticeRollback, release.NoticeSettings, release.NoticeChart,
		release.NoticeDrift, release.NoticeRegression, release.NoticeAlignment, release.NoticeSummary,
	}
	scheduledKinds = []release.NoticeKind{release.NoticeDigest, release.NoticeReminder}
)

// What happens unasked is built by the functions that check it, so that only
// what can be built is accepted.
func (c config) checkAutomation(p *problems) {
	oneOf(p, "align", c.Align, alignModes)
	for i, route := range c.Notices.Routes {
		checkRoute(p, fmt.Sprintf("notices.routes[%d]", i), route)
	}
	c.buildAutoPromote(p)
	c.buildSources(p)
	c.buildSchedules(p)
}

func (c config) align() release.AlignMode { return c.Align }

// notices are the routes of announcements. Without any in the file, everything
// of prod goes to slack.channel.
func (c config) notices() []automation.Route {
	if c.Notices.Routes != nil {
		return c.Notices.Routes
	}
	return []automation.Route{{Apps: []string{"*"}, Environments: []string{c.environments().Prod.Name}, Channels: []string{c.Slack.Channel}}}
}

func (c config) autoPromote() []automation.AutoPromote { return c.buildAutoPromote(newProblems("")) }
func (c config) sources() []automation.Source          { return c.buildSources(newProblems("")) }
func (c config) schedules() []automation.Job           { return c.buildSchedules(newProblems("")) }

func checkRoute(p *problems, key string, route automation.Route) {
	checkApps(p, key+".apps", route.Apps)
	among(p, key+".environments", route.Environments, environmentNames)
	p.need(len(route.Channels) > 0, key+".channels", "is missing: ids of channels, such as C0123456789")
	for i, id := range route.Channels {
		checkChannel(p, fmt.Sprintf("%s.channels[%d]", key, i), id, "a channel")
	}
	for i, kind := range route.Mute {
		oneOf(p, fmt.Sprintf("%s.mute[%d]", key, i), kind, routedKinds)
	}
}

func (c config) buildAutoPromote(p *problems) []automation.AutoPromote {
	var rules []automation.AutoPromote
	for i, a := range c.AutoPromote {
		key := fmt.Sprintf("auto_promote[%d]", i)
		checkApps(p, key+".apps", a.Apps)
		p.need(a.Soak >= leastSoak, key+".soak", "must be at least 1m: how long a release must have been well in dev")
		rule := automation.AutoPromote{Apps: a.Apps, Soak: a.Soak}
		if a.Window != nil {
			rule.Window = buildWindow(p, key+".window", *a.Window)
		}
		rules = append(rules, rule)
	}
	return rules
}

func buildWindow(p *problems, key string, w window) automation.Window {
	opens := buildSchedule(p, key, w.Cron, w.Zone)
	built, err := automation.NewWindow(opens, w.For)
	p.need(err == nil, key+".for", "must be a time above zero, such as 8h: how long the window stays open")
	return built
}

// buildSchedule reads the keys cron and zone of what stands at key.
func buildSchedule(p *problems, key, expression, zone string) automation.Schedule {
	location, err := automation.Zone(cmp.Or(zone, defaultZone))
	if err != nil {
		p.add(key+".zone", "%v", err)
		location = time.UTC
	}
	p.need(expression != "", key+".cron", `is missing: a cron expression such as "0 9 * * 1-5"`)
	built, err := automation.NewSchedule(expression, location)
	if err != nil {
		p.add(key+".cron", "%v", err)
	}
	return built
}

func (c config) buildSources(p *problems) []automation.Source {
	var sources []automation.Source
	host := ""
	for i, s := range c.Sources {
		key := fmt.Sprintf("sources[%d]", i)
		checkApps(p, key+".apps", s.Apps)
		username := cmp.Or(s.Username, defaultSourceUsername)
		checkUsername(p, key+".username", username)
		if u := checkRepository(p, key+".repository", s.Repository); u != nil {
			host = cmp.Or(host, u.Host)
			p.need(u.Host == host || c.Secrets.Source.loaded() == "", key+".repository",
				"is not on %s, as the one before is: SOURCE_TOKEN would be shown to both", host)
		}
		sources = append(sources, automation.Source{
			Apps: s.Apps, Repository: s.Repository, Username: username, Token: c.Secrets.Source.now,
			Tag: buildTag(p, key+".tag", cmp.Or(s.Tag, defaultSourceTag)), Compare: s.Compare,
		})
		checkCompare(p, key+".compare", s.Compare)
	}
	return sources
}

func buildTag(p *problems, key, expression string) *regexp.Regexp {
	tag, err := regexp.Compile(expression)
	switch {
	case err != nil:
		p.add(key, "must be a regular expression: %v", err)
	case tag.NumSubexp() != 1:
		p.add(key, "must have exactly one group, around the commit, as %s has", defaultSourceTag)
	}
	return tag
}

// checkCompare checks the template of a web address.
func checkCompare(p *problems, key, template string) {
	if template == "" {
		return
	}
	filled := strings.NewReplacer("{from}", "a", "{to}", "b").Replace(template)
	u, err := url.Parse(filled)
	ok := err == nil && (u.Scheme == "https" || u.Scheme == "http") && isHost(u.Hostname()) && u.User == nil && !strings.ContainsAny(filled, "{}<>|\" ") &&
		strings.Contains(template, "{from}") && strings.Contains(template, "{to}")
	p.need(ok, key, "must be a web address with {from} and {to} in it, such as https://github.com/synestra/site/compare/{from}...{to}")
}

func (c config) buildSchedules(p *problems) []automation.Job {
	var jobs []automation.Job
	names := map[string]string{} // the key that has each
	for i, s := range c.Schedules {
		key := fmt.Sprintf("schedules[%d]", i)
		p.need(jobName.MatchString(s.Name), key+".name", "must be a name of its own, such as weekly: letters, digits, dots and dashes")
		other, taken := names[s.Name]
		p.need(!taken, key+".name", "is the same as %s", other)
		names[s.Name] = key + ".name"
		oneOf(p, key+".kind", s.Kind, scheduledKinds)
		checkChannel(p, key+".channel", s.Channel, "the channel for it")
		checkApps(p, key+".apps", s.Apps)
		switch s.Kind {
		case release.NoticeReminder:
			p.need(s.Older > 0, key+".older", "must be a time above zero, such as 72h: how long a release has waited in dev")
		default:
			p.need(s.Older == 0, key+".older", "is only for a reminder: leave it out")
		}
		jobs = append(jobs, automation.Job{
			Name: s.Name, Kind: s.Kind, Schedule: buildSchedule(p, key, s.Cron, s.Zone), Channel: s.Channel, Apps: s.Apps, Older: s.Older,
		})
	}
	return jobs
}
