package card

import (
	"strings"

	"github.com/synestra/promoter/internal/release"
)

// words is every label and sentence that cards are made of, in one language.
// A {name} in a sentence is filled in by [with].
type words struct {
	titles     map[release.Kind]title
	otherTitle title                  // of a kind that has none of its own
	heads      map[release.Stage]head // how an operation stands
	doing      map[release.Stage]string
	steps      [stepCount]stepWords

	by, forced, took, since string // {name}; ; {duration}; {time}
	podsReady               string // {ready} {total}
	folded, superseded      string // {commit}; {what}
	stalled, blind          string
	more                    string // {count}

	buttonArgo, buttonCommit, buttonCompare string

	moving, inTheEnd                   string // {say}
	seeMessage, onlyYou, unchanged     string
	sure, yes, no                      string
	broken, brokenUnknown, notAccepted string // {reference}; ;

	notices noticeWords
}

// title is what an operation is called: {app} {env} {from} {to}.
type title struct {
	writes, syncs string // with and without a commit
	healthy       string
	plain         string // for notifications
}

// head is the emoji of a stage, and what is said of an operation in it.
type head struct{ emoji, say string }

// stepWords name a step that is to come or has failed, and one that is done.
type stepWords struct{ todo, done string }

// The steps of an operation that people see.
const (
	stepWrite = iota
	stepSync
	stepRollout
	stepHealthy
	stepCount
)

// with fills in a sentence: pairs of a name and its value.
func with(sentence string, pairs ...string) string {
	for i := 0; i < len(pairs); i += 2 {
		pairs[i] = "{" + pairs[i] + "}"
	}
	return strings.NewReplacer(pairs...).Replace(sentence)
}

func english() words {
	return words{
		titles: map[release.Kind]title{
			release.KindPromote: {
				writes:  "*{app}* → {env} · {from} → {to}",
				syncs:   "*{app}* · sync of {env} to {to}",
				healthy: "*{app}* is on {to} in {env}",
				plain:   "{app} {from} → {to} in {env}",
			},
			release.KindResetDev: {
				writes:  "*{app}* · reset of {env} · {from} → {to}",
				syncs:   "*{app}* · reset of {env} · sync to {to}",
				healthy: "*{app}* · {env} is back at {to}",
				plain:   "{app}, reset of {env} to {to}",
			},
			release.KindRollback: {
				writes:  "*{app}* · rollback of {env} · {from} → {to}",
				syncs:   "*{app}* · rollback of {env} · sync to {to}",
				healthy: "*{app}* is back on {to} in {env}",
				plain:   "{app}, rollback of {env} {from} → {to}",
			},
			release.KindAlign: {
				writes:  "*{app}* · {env} follows prod · {from} → {to}",
				syncs:   "*{app}* · {env} follows prod · sync to {to}",
				healthy: "*{app}* · {env} has followed prod to {to}",
				plain:   "{app}, {env} follows prod to {to}",
			},
		},
		otherTitle: title{
			writes:  "*{app}* · {env} · {from} → {to}",
			syncs:   "*{app}* · {env} · sync to {to}",
			healthy: "*{app}* is on {to} in {env}",
			plain:   "{app}, {env} to {to}",
		},
		heads: map[release.Stage]head{
			release.StageWriting:       {"⏳", "started"},
			release.StageCommitted:     {"⏳", "committed"},
			release.StageNoticed:       {"⏳", "waiting for Argo CD"},
			release.StageSyncing:       {"⏳", "syncing"},
			release.StageRollingOut:    {"⏳", "rolling out"},
			release.StageDegraded:      {"⚠️", "degraded, may recover"},
			release.StageHealthy:       {"🚀", "healthy"},
			release.StageNoEffect:      {"⚠️", "no effect: Argo CD has nothing to change"},
			release.StageRefused:       {"⛔", "refused, nothing was written"},
			release.StageFailedToWrite: {"❌", "failed to write"},
			release.StageSyncFailed:    {"❌", "sync failed"},
			release.StageStillDegraded: {"❌", "degraded, and did not recover in time"},
			release.StageStillHot:      {"❌", "synced, but still hot"},
			release.StageSuperseded:    {"⏭️", "superseded"},
			release.StageTimedOut:      {"⌛", "timed out; how it goes on is not watched any more"},
			release.StageGone:          {"❔", "the Argo CD Application was deleted"},
		},
		doing: map[release.Stage]string{
			release.StageWriting:    "Writing",
			release.StageCommitted:  "Waiting for Argo CD to see the commit",
			release.StageNoticed:    "Argo CD has seen the commit",
			release.StageSyncing:    "Syncing",
			release.StageRollingOut: "Rolling out",
			release.StageDegraded:   "Degraded",
		},
		steps: [stepCount]stepWords{
			stepWrite:   {"Commit", "Committed"},
			stepSync:    {"Sync", "Synced"},
			stepRollout: {"Rollout", "Rolled out"},
			stepHealthy: {"Healthy", "Healthy"},
		},

		by:         "by {name}",
		forced:     "forced",
		took:       "took {duration}",
		since:      "since {time}",
		podsReady:  "{ready} of {total} pods ready",
		folded:     "Deployed together with the newer commit {commit}",
		superseded: "Superseded by {what}",
		stalled:    "Nothing has moved for a while",
		blind:      "Argo CD cannot be asked at the moment, so this may be out of date; trying again",
		more:       "… and {count} more",

		buttonArgo:    "Argo CD ↗",
		buttonCommit:  "Commit ↗",
		buttonCompare: "Compare ↗",

		moving:        "moving again: {say}",
		inTheEnd:      "in the end: {say}",
		seeMessage:    "See the message",
		onlyYou:       "Only you can see this",
		unchanged:     "nothing was changed",
		sure:          "Are you sure?",
		yes:           "Yes",
		no:            "Cancel",
		broken:        "Something broke on our side. Reference {reference}, for whoever runs the bot.",
		brokenUnknown: "What was done is not known: look at the channel and at Argo CD before you ask again.",
		notAccepted:   "⚠️ Not accepted: the bot is too busy, or cannot store your request. Nothing was done; please try again.",

		notices: englishNotices(),
	}
}
