package release

import "time"

// NoticeKind is what a notice is about.
type NoticeKind string

// The kinds of notices, each of which can be muted.
const (
	NoticeRelease    NoticeKind = "release"    // an environment runs another release, or failed to
	NoticeRollback   NoticeKind = "rollback"   // one that it ran before
	NoticeSettings   NoticeKind = "settings"   // the app's own values changed, its tag did not
	NoticeChart      NoticeKind = "chart"      // a commit to none of the app's own files rolled it out anew
	NoticeDrift      NoticeKind = "drift"      // it runs what Git does not say
	NoticeRegression NoticeKind = "regression" // Argo CD by itself deployed an older revision than it had
	NoticeAlignment  NoticeKind = "alignment"  // what became of dev, where no other notice stands to say it
	NoticeSummary    NoticeKind = "summary"    // what happened while the bot was away for more than a day
	NoticeDigest     NoticeKind = "digest"     // how things stand, on a schedule
	NoticeReminder   NoticeKind = "reminder"   // releases that have waited in dev for long
)

// NoticeKinds lists the kinds that can be muted.
func NoticeKinds() []NoticeKind {
	return []NoticeKind{
		NoticeRelease, NoticeRollback, NoticeSettings, NoticeChart, NoticeDrift, NoticeRegression, NoticeAlignment, NoticeSummary,
	}
}

// Notice is one message that nobody asked for. It is stored before it is
// posted and after each change, so that it is told once, whatever happens
// between; its ID is in the message's metadata.
type Notice struct {
	ID      string // ULID
	Kind    NoticeKind
	Channel string // Slack id
	Created time.Time
	Items   []Item // what happened, an app each
	Lines   []Line // of a digest or a reminder: one a row
	Apps    int    // of a digest or a reminder: how many apps were looked at; 0 if not known
	Seq     int    // grows with every change that people can see
	Shown   int    // the Seq that Slack has; 0 before it is posted
	Posting bool   // a post was begun, and where it is is not known
	Repeat  bool   // posted although an earlier post may stand: the history could not be read
	Place   Place  // zero until it is posted
}

// Item is one change of what an app runs, as people are told of it.
type Item struct {
	Update      string // id of the [Update]; in each channel it is told once
	Kind        NoticeKind
	App         App
	Environment string
	Application string // its Argo CD Application
	How         How
	From, To    Tag           // of drift: what Git says, and what runs instead
	Base        Revision      // what ran before, for a link to compare; "" if not known
	Commit      Revision      // what was deployed; "" if no commit was
	Subject     string        // of the commit
	Authors     []string      // of the commits that changed the app's files
	By          string        // who asked Argo CD for it, or changed the cluster; "" if nobody did, or it is not known
	Operation   string        // id of the bot's operation that made the commit, "" if somebody else did
	At          time.Time     // when it came to be so; of a warning: since when it is so
	Took        time.Duration // from when it was seen until then; 0 if that was not seen
	Stage       Stage         // how it stands: healthy, or a failure
	Note        string        // how the stage is to be read
	Cause       *Cause        // why it fails, nil while nothing does
	Recovered   time.Duration // from the failure or warning that was told until it was over; 0 if none was told
	Over        bool          // of a warning: what it warned of is over
	Skipped     []Skipped     // changes that were superseded before they went live, oldest first
	Changelog   *Changelog    // nil if there is none
	Hosts       []string      // where the app is to be seen
	Held        string        // why automation leaves the app alone from now on; "" if it does not
	Dev         string        // what became of dev; "" if there is nothing to say
}

// Skipped is a change that was replaced before it was seen live.
type Skipped struct {
	Tag     Tag
	Commit  Revision
	Authors []string
	Note    string // what is known of it
}

// Changelog is what a release brings, from the app's source repository.
type Changelog struct {
	Commits []SourceCommit // newest first, at most 8
	More    int            // how many are not listed
	Compare string         // web address that shows the difference, "" if none is known
	Note    string         // why there are no commits, "" if there are
}

// SourceCommit is a commit of a source repository.
type SourceCommit struct {
	Revision Revision
	Subject  string
	Author   string
	URL      string // "" if it has no page
}

// Line is one row of a digest or reminder.
type Line struct {
	App         App
	Environment string // where it is so; "" where the group says it
	Group       string // what the row belongs to, one of the groups
	From        Tag    // what prod runs; of drift, what Git says; of a failure, what ran before
	To          Tag    // what dev runs; of drift, what runs instead; of a failure, what was to run
	Since       time.Time
	Detail      string
}

// Hold keeps automation away from an app until somebody promotes it or lifts
// the hold.
type Hold struct {
	App    App
	Since  time.Time
	Reason string // "prod was rolled back from sha-2 to sha-1"
	Update string // id of the update that caused it
	By     string // who moved prod back, as far as known
}

// The groups of lines.
const (
	GroupAhead   = "ahead"   // dev has a release that prod has not
	GroupDrift   = "drift"   // what runs is not what Git says
	GroupSession = "session" // somebody has a live session in dev
	GroupHold    = "hold"    // automation is held
	GroupFailed  = "failed"  // a rollout of the bot's failed
	GroupWaiting = "waiting" // a release has been well in dev for long
	GroupUnknown = "unknown" // it could not be looked at
)
