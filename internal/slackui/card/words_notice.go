package card

import (
	"strconv"

	"github.com/synestra/promoter/internal/release"
)

// noticeWords is what notices, digests and reminders are made of, in one
// language. A {name} is filled in by [with], a {count} by [noticeWords.number].
type noticeWords struct {
	plural func(n int) int // which of the forms goes with a number

	titles     map[release.NoticeKind]noticeTitle
	otherTitle noticeTitle

	by, inArgo, byInArgo, syncedBy, outside, byOutside, throughBot string // {name}
	twoNames                                                       string // {name} {last}
	manyNames                                                      forms  // {names} {count}

	over, overAfter, recovered string // ; {span}; {span}
	superseded, supersededBy   string // {tag}; {tag} {name}
	held                       string // {reason}
	repeat                     string
	commits                    forms

	spans struct{ seconds, minutes, hours, days forms }

	// Of several apps in one message: {env}, and {count} of apps.
	many      map[release.NoticeKind]forms
	otherMany forms
	failed    forms
	andApps   forms
	byCommit  string // {commit}
	away      forms

	digest                 string
	outOf                  forms // apps that were looked at
	allInSync              forms
	allInSyncUnknown       string
	nothingWaits           string
	groups                 map[string]group
	inEnv, tags, runs, git string // {env}; {from} {to}; {live} {git}; {git}
	forSpan                string // {span} {time}
	andRows                forms
}

// noticeTitle is what an item is called: {app} {env} {from} {to}.
type noticeTitle struct {
	emoji   string // while nothing is wrong with it
	say     string
	noFrom  string // where it is not known what ran before
	over    string // of a warning whose reason is gone
	explain string // what it means, "" where that is plain
}

// forms are one phrase with a {count}, in each form that a number asks for.
type forms []string

// group is a heading of a digest, and what to do about its rows.
type group struct {
	emoji, say string
	hint       string
}

func englishNotices() noticeWords {
	w := noticeWords{
		plural: func(n int) int {
			if n == 1 {
				return 0
			}
			return 1
		},
		titles: englishNoticeTitles(),
		otherTitle: noticeTitle{
			emoji: "ℹ️", say: "*{app}* in {env}: {from} → {to}", noFrom: "*{app}* in {env}: {to}",
		},

		by:         "by {name}",
		inArgo:     "in Argo CD",
		byInArgo:   "by {name} in Argo CD",
		syncedBy:   "synced by {name} in Argo CD",
		outside:    "outside Git",
		byOutside:  "by {name} outside Git",
		throughBot: "by {name} through this bot",
		twoNames:   "{name} and {last}",
		manyNames:  forms{"{names} and {count} other", "{names} and {count} others"},

		over:         "over",
		overAfter:    "over after {span}",
		recovered:    "recovered after {span}",
		superseded:   "{tag} was superseded before it went live",
		supersededBy: "{tag} by {name} was superseded before it went live",
		held:         "On hold: {reason}. Automation leaves the app alone until someone promotes it or lifts the hold.",
		repeat:       "may be a repeat: whether this was posted before could not be seen",
		commits:      forms{"{count} commit", "{count} commits"},

		many: map[release.NoticeKind]forms{
			release.NoticeRelease:    {"{count} app updated in {env}", "{count} apps updated in {env}"},
			release.NoticeRollback:   {"{count} app rolled back in {env}", "{count} apps rolled back in {env}"},
			release.NoticeSettings:   {"New settings for {count} app in {env}", "New settings for {count} apps in {env}"},
			release.NoticeChart:      {"{count} app rolled out anew in {env}", "{count} apps rolled out anew in {env}"},
			release.NoticeDrift:      {"{count} app in {env} does not run what Git says", "{count} apps in {env} do not run what Git says"},
			release.NoticeRegression: {"{count} app in {env} went back by itself", "{count} apps in {env} went back by themselves"},
			release.NoticeAlignment:  {"{count} app: what became of dev", "{count} apps: what became of dev"},
		},
		otherMany: forms{"{count} app changed in {env}", "{count} apps changed in {env}"},
		failed:    forms{"{count} failed", "{count} failed"},
		andApps:   forms{"… and {count} more app", "… and {count} more apps"},
		byCommit:  "by commit {commit}",
		away:      forms{"While the bot was away: {count} change", "While the bot was away: {count} changes"},

		digest:           "How things stand",
		outOf:            forms{"{count} app looked at", "{count} apps looked at"},
		allInSync:        forms{"Nothing to report: the {count} app is in sync.", "Nothing to report: all {count} apps are in sync."},
		allInSyncUnknown: "Nothing to report: everything is in sync.",
		nothingWaits:     "Nothing waits: whatever is verified in dev is in prod.",
		groups: map[string]group{
			release.GroupFailed:  {"❌", "Failed rollouts", ""},
			release.GroupDrift:   {"⚠️", "Running what Git does not say", "Sync the app in Argo CD, or put Git right."},
			release.GroupHold:    {"🔒", "On hold", "Promoting the app lifts its hold."},
			release.GroupSession: {"🔥", "Live sessions in dev", ""},
			release.GroupAhead:   {"⏩", "Dev is ahead of prod", "`/promote <app>` brings one to prod."},
			release.GroupWaiting: {"⏰", "Verified in dev, not in prod", "`/promote <app>` brings one to prod."},
			release.GroupUnknown: {"❔", "Could not be looked at", ""},
		},
		inEnv:   "in {env}",
		tags:    "{from} → {to}",
		runs:    "runs {live}, Git says {git}",
		git:     "Git says {git}",
		forSpan: "for {span}, since {time}",
		andRows: forms{"… and {count} more", "… and {count} more"},
	}
	w.spans.seconds = forms{"{count} s", "{count} s"}
	w.spans.minutes = forms{"{count} min", "{count} min"}
	w.spans.hours = forms{"{count} hour", "{count} hours"}
	w.spans.days = forms{"{count} day", "{count} days"}
	return w
}

func englishNoticeTitles() map[release.NoticeKind]noticeTitle {
	return map[release.NoticeKind]noticeTitle{
		release.NoticeRelease: {
			emoji: "🚀", say: "*{app}* in {env}: {from} → {to}", noFrom: "*{app}* in {env}: now {to}",
		},
		release.NoticeRollback: {
			emoji: "⏪", say: "*{app}* rolled back in {env}: {from} → {to}", noFrom: "*{app}* rolled back in {env} to {to}",
		},
		release.NoticeSettings: {
			emoji: "⚙️", say: "*{app}* in {env}: new settings, {to}", noFrom: "*{app}* in {env}: new settings, {to}",
		},
		release.NoticeChart: {
			emoji: "📦", say: "*{app}* in {env}: rolled out anew, {to}", noFrom: "*{app}* in {env}: rolled out anew, {to}",
			explain: "None of the app's own files changed; something they share with other apps did, such as the chart.",
		},
		release.NoticeDrift: {
			emoji: "⚠️", say: "*{app}* in {env} runs {to}, Git says {from}", noFrom: "*{app}* in {env} runs {to}, which Git does not say",
			over:    "*{app}* in {env} runs what Git says again (it ran {to}, Git said {from})",
			explain: "Sync the app in Argo CD to go back to Git, or put Git right.",
		},
		release.NoticeRegression: {
			emoji: "⚠️", say: "*{app}* in {env} went back by itself: {from} → {to}", noFrom: "*{app}* in {env} went back by itself to {to}",
			over:    "*{app}* in {env} had gone back by itself: {from} → {to}",
			explain: "Argo CD deployed an older revision than was live, and nobody asked for it (argo-cd#29716). Refresh and sync the app.",
		},
		release.NoticeAlignment: {
			emoji: "🔄", say: "*{app}*: {env} after the release of {to}", noFrom: "*{app}*: {env} after the release of {to}",
		},
	}
}

// number is a phrase with a count in it.
func (w noticeWords) number(f forms, n int, pairs ...string) string {
	i := min(w.plural(n), len(f)-1)
	return with(f[i], append(pairs, "count", strconv.Itoa(n))...)
}
