package release

import (
	"fmt"
	"net/url"
	"slices"
	"strings"
)

// Snapshot is one Argo CD Application as it stood at one resource version: the
// few fields decisions are made on. Times are the cluster's own, kept as it
// wrote them (RFC 3339): they are compared with each other within one
// Application only, never with our clock.
type Snapshot struct {
	Name            string
	Project         string
	UID             string
	ResourceVersion int64
	Deleted         bool // deleted, or being deleted

	AutoSync bool
	Sources  []Source // one, or several in the order of spec.sources
	Paths    []string // by source: the folder it is rendered from, "" for one that is only referred to

	// Revisions has what Argo CD last compared (not deployed), by source.
	Revisions     []Revision
	Sync          string // "Synced", "OutOfSync", "Unknown"
	Health        string // "Healthy", "Progressing", "Degraded", "Suspended", "Missing", "Unknown"
	HealthMessage string
	HealthSince   string // when health last changed; "" where Argo CD does not say
	ReconciledAt  string // when it last compared with Git

	// Requested is an operation that is queued or running, nil if there is none.
	Requested *SyncRequest
	// Operation is the running or the last one, nil if there was none or a new
	// one was just requested.
	Operation  *SyncOperation
	HistoryID  int64 // of the newest entry in the deployment history, -1 if there is none
	History    []Deployment
	Images     []string // of every pod in the tree, old ReplicaSets' and hooks' too
	Conditions []Condition
	Resources  []Resource
}

// Source is one of the places an Application is rendered from.
type Source struct{ RepoURL, TargetRevision string }

// SyncRequest is what an operation was asked to sync to, by source. A revision
// may be a branch name, or empty, until Argo CD has resolved it.
type SyncRequest struct{ Revisions []Revision }

// SyncOperation is the state of a sync.
type SyncOperation struct {
	Phase      string // "Running", "Terminating", "Succeeded", "Failed", "Error"
	Message    string
	StartedAt  string
	FinishedAt string // also set between the attempts of a sync that will be retried
	RetryCount int64
	DryRun     bool
	Requested  []Revision // by source
	Result     []Revision // what was really applied, by source; empty until known
	Unchanged  bool       // all that was applied was as it is already
	Failed     []Resource // resources that could not be applied
	Hooks      []string   // names of hooks that are running
	By         string     // who started it; "" if automated
}

// Deployment is an entry of the deployment history.
type Deployment struct {
	ID        int64
	StartedAt string // of the operation that deployed it; "" if not known
	Revisions []Revision
	By        string // who asked for it; "" if automated
}

// Condition is an Application condition, such as a ComparisonError.
type Condition struct{ Type, Message, At string }

// Resource is a managed object and its state.
type Resource struct {
	Kind, Namespace, Name string
	Status                string // "Synced", "OutOfSync", "" if it is only in the tree
	Health                string
	Message               string
	RequiresPruning       bool
}

// Follows lists the sources that are the given repository at the given branch.
// Several sources may be the same repository (chart and values); other
// repositories' revisions say nothing about our commit.
func (s Snapshot) Follows(repoURL, branch string) []int {
	var found []int
	for i, src := range s.Sources {
		if normalURL(src.RepoURL) != normalURL(repoURL) {
			continue
		}
		// An empty target or HEAD is the default branch. Only a revision that
		// contains our commit counts as proof, so taking it for ours is safe.
		switch strings.TrimPrefix(src.TargetRevision, "refs/heads/") {
		case branch, "", "HEAD":
			found = append(found, i)
		}
	}
	return found
}

// normalURL makes the spellings of one repository equal: scheme, user, port,
// ".git" and letter case do not tell two repositories apart.
func normalURL(s string) string {
	s = strings.TrimSpace(strings.ToLower(s))
	host, path := "", ""
	if u, err := url.Parse(s); err == nil && u.Host != "" {
		host, path = u.Hostname(), u.Path
	} else if user, rest, ok := strings.Cut(s, ":"); ok { // git@host:owner/name
		host, path = user[strings.LastIndex(user, "@")+1:], rest
	} else {
		path = s
	}
	return host + "/" + strings.TrimSuffix(strings.Trim(path, "/"), ".git")
}

// Mentioned lists every commit the snapshot speaks of in the given sources, for
// which facts are needed.
func (s Snapshot) Mentioned(sources []int) []Revision {
	var found []Revision
	add := func(revisions []Revision) {
		for _, i := range sources {
			if r := at(revisions, i); r.IsCommit() && !slices.Contains(found, r) {
				found = append(found, r)
			}
		}
	}
	add(s.Revisions)
	if s.Requested != nil {
		add(s.Requested.Revisions)
	}
	if s.Operation != nil {
		add(s.Operation.Requested)
		add(s.Operation.Result)
	}
	for _, d := range s.History {
		add(d.Revisions)
	}
	return found
}

func at(revisions []Revision, i int) Revision {
	if i < len(revisions) {
		return revisions[i]
	}
	return ""
}

// Baseline is what an Application was before an operation's first outside
// effect. "New" means different from it.
type Baseline struct {
	UID          string
	HistoryID    int64
	StartedAt    string // of the last sync operation
	ReconciledAt string
	Health       string
	Errors       []Condition // conditions that were there before
	Clones       []string    // development clones that Argo CD listed
}

// Baseline keeps of a snapshot what later ones are compared with.
func (s Snapshot) Baseline() Baseline {
	b := Baseline{UID: s.UID, HistoryID: s.HistoryID, ReconciledAt: s.ReconciledAt, Health: s.Health, Errors: s.Conditions}
	if s.Operation != nil {
		b.StartedAt = s.Operation.StartedAt
	}
	return b
}

// Relation is where a revision stands towards our commit.
type Relation string

// The relations. An unknown one proves nothing.
const (
	RelationUnknown  Relation = ""
	RelationSame     Relation = "same"
	RelationNewer    Relation = "newer"    // contains our commit
	RelationOlder    Relation = "older"    // our commit contains it
	RelationDiverged Relation = "diverged" // neither: the branch was rewritten
)

// Fact is what Git says of a revision, as seen from an operation's commit.
type Fact struct {
	Relation Relation
	// Keeps says that the layer still has our tag at the revision. It means
	// nothing unless the relation is known.
	Keeps bool
}

// Contains says that the revision has our commit.
func (f Fact) Contains() bool { return f.Relation == RelationSame || f.Relation == RelationNewer }

// Live is what the cluster itself says of an Application's workloads, read
// after a snapshot.
type Live struct {
	// Problem is why the cluster could not be asked, "" if it answered. Without
	// an answer nothing else here means anything.
	Problem   string
	Workloads []Workload
	Session   *Session // nil if there is no live session
	Failing   []PodFailure
}

// Workload is a Deployment as the cluster has it.
type Workload struct {
	Kind, Namespace, Name                     string
	Generation, Observed                      int64
	Desired, Updated, Ready, Available, Total int
	Images                                    []string
	Rollout                                   string // its number, which grows with each new pod template; "" if it has none
	DeadlineExceeded                          bool   // condition Progressing=False, ProgressDeadlineExceeded
	Message                                   string // of that condition
	Clone                                     bool   // an Okteto development clone, not the app
	Marked                                    bool   // has the marks of an original that Okteto has cloned
}

// cloneOf is the name that Okteto gives the clone of a workload.
func cloneOf(workload string) string { return workload + "-okteto" }

// Clones are the names of the development clones.
func (l Live) Clones() []string {
	var names []string
	for _, w := range l.Workloads {
		if w.Clone {
			names = append(names, w.Name)
		}
	}
	return names
}

// Leftover is a workload of which it is not known whether a session still
// stands in for it, "" if there is none, or a session is known: it has Okteto's marks, though it is
// scaled up, and no clone of it is listed. A sync leaves the marks on a workload
// whose clone it prunes, and just so on one whose clone Argo CD does not list,
// since it was copied before annotation tracking reached the original. Clones
// that were listed before, by name in seen, are known to be gone.
func (l Live) Leftover(seen []string) string {
	if l.Session != nil {
		return ""
	}
	for _, w := range l.Workloads {
		if w.Marked && w.Desired > 0 && !slices.Contains(seen, cloneOf(w.Name)) {
			return w.Name
		}
	}
	return ""
}

// leftover says what [Live.Leftover] means.
func leftover(workload string) string {
	return fmt.Sprintf("%s still has Okteto's marks, and whether a live session is behind them cannot be seen; okteto down takes them away", Plain(workload))
}

// Session is a live development session, known by Okteto's marks. They do not
// name the person.
type Session struct {
	Workload string // the workload that stands in for the app's
	Image    string
}

// PodFailure is why a pod does not become ready.
type PodFailure struct{ Pod, Reason, Message string }

// Settled says that the workload runs its spec completely, and nothing else:
// the controller has seen it, every pod is new and available, no old one is left.
func (w Workload) Settled() bool {
	return w.Observed >= w.Generation && w.Updated == w.Desired && w.Available >= w.Desired && w.Total == w.Updated
}

// Of lists the workloads that run an image of the repository, clones of a
// development session apart. With no repository known it is all of them.
func (l Live) Of(repository string) []Workload {
	var found []Workload
	for _, w := range l.Workloads {
		if w.Clone {
			continue
		}
		if repository == "" || slices.ContainsFunc(w.Images, func(image string) bool {
			name, _ := SplitImage(image)
			return name == repository
		}) {
			found = append(found, w)
		}
	}
	return found
}

// App lists the workloads that are the app's at a tag: those that run an image
// of its repository. With no repository known they are those with the tag, or
// all of them while there is none, since the app may not be alone (a cache, a
// database).
func (l Live) App(repository string, tag Tag) []Workload {
	found := l.Of(repository)
	if repository != "" {
		return found
	}
	var tagged []Workload
	for _, w := range found {
		if w.Runs("", tag) {
			tagged = append(tagged, w)
		}
	}
	if len(tagged) > 0 {
		return tagged
	}
	return found
}

// Rollouts are the numbers of the rollouts of the workloads that have one.
func (l Live) Rollouts(repository string) map[string]string {
	found := map[string]string{}
	for _, w := range l.Of(repository) {
		if w.Rollout != "" {
			found[w.Kind+"/"+w.Namespace+"/"+w.Name] = w.Rollout
		}
	}
	return found
}

// Runs says that the workload's own image has the tag.
func (w Workload) Runs(repository string, tag Tag) bool {
	return slices.ContainsFunc(w.Images, func(image string) bool {
		name, t := SplitImage(image)
		return t == tag && (repository == "" || name == repository)
	})
}

// SplitImage parts an image reference into repository and tag. A digest is cut
// off; without a tag the tag is "".
func SplitImage(image string) (repository string, tag Tag) {
	image, _, _ = strings.Cut(image, "@")
	slash := strings.LastIndex(image, "/")
	if colon := strings.LastIndex(image, ":"); colon > slash {
		return image[:colon], Tag(image[colon+1:])
	}
	return image, ""
}
