package argocd

import (
	"errors"
	"log/slog"
	"time"
)

// Options are what a Server is started with. Repo, URL and Branch are required.
type Options struct {
	Repo   string // path of the bare repository that Applications are rendered from
	URL    string // its address, as spec.source.repoURL names it
	Branch string // the branch, as spec.source.targetRevision names it
	Token  string // the only token that is let in; "" lets everybody in
	// Account is whose token it is, "" for "bot".
	Account string
	// Pace is what one simulated step takes, 0 for 400 ms.
	Pace time.Duration
	// Poll is after how long a new commit is noticed that nobody announced by
	// a refresh, 0 for the 3 minutes of Argo CD 2.14.
	Poll time.Duration
	// MaySync says which Applications the account may sync; nil is those of
	// the dev environment, which is what the bot's account needs.
	MaySync func(application string) bool
	Log     *slog.Logger // nil for none
}

func (o Options) complete() (Options, error) {
	switch {
	case o.Repo == "":
		return o, errors.New("the stand-in for Argo CD needs the path of a bare repository")
	case o.URL == "":
		return o, errors.New("the stand-in for Argo CD needs the repository's URL")
	case o.Branch == "":
		return o, errors.New("the stand-in for Argo CD needs a branch")
	case o.Pace < 0 || o.Poll < 0:
		return o, errors.New("the pace and the poll interval cannot be negative")
	}
	if o.Account == "" {
		o.Account = "bot"
	}
	if o.Pace == 0 {
		o.Pace = 400 * time.Millisecond
	}
	if o.Poll == 0 {
		o.Poll = 3 * time.Minute
	}
	if o.MaySync == nil {
		o.MaySync = isDev
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	return o, nil
}

// AppSpec says how one Application is made: web-<App>-<Environment>, which
// deploys the Deployment and the Service <App> to the namespace of its own name,
// from deploy/env/<Environment>/<App>.yaml and deploy/env/release-<Environment>/<App>.yaml.
type AppSpec struct {
	App         string
	Environment string // "dev" or "prod"
	Project     string // "" for "default"
	// Replicas is how many pods it has where no values file says otherwise, 0 for 2.
	Replicas int32
	// Autoscaled leaves the replicas out of what is rendered, as a chart with a
	// HorizontalPodAutoscaler does: scaling to zero is then no difference.
	Autoscaled bool
	// MultiSource has chart and values as two sources, with revisions[] instead of revision.
	MultiSource bool
	AutoSync    bool // sync, with prune, what is OutOfSync
	SelfHeal    bool // undo drift at once
	// AnnotationTracking knows resources by annotation, the default of Argo CD
	// 3, instead of by label: copies of them are then never pruned.
	AnnotationTracking bool
}

// Name is the name of the Application.
func (s AppSpec) Name() string { return "web-" + s.App + "-" + s.Environment }

// Behaviour is how a release behaves, known by its image tag. The zero value is
// a good release.
type Behaviour struct {
	// Ready is after how many paces each pod is ready, 0 for 2.
	Ready int
	// Reason keeps pods from ever becoming ready: a container's waiting reason
	// ("CrashLoopBackOff", "ImagePullBackOff") or "Unschedulable".
	Reason  string
	Message string // beside the reason
	// Deadline is after how many paces without progress the Deployment is
	// given up (ProgressDeadlineExceeded), 0 for 10 more than Ready. Less than
	// Ready makes a release that is degraded for a while and recovers.
	Deadline int
	// FailSync is why the release cannot be applied, "" if it can.
	FailSync string
	// Retries is how often a failing sync is tried again before it has failed.
	Retries int64
	// Hook is for how many paces a PreSync hook runs before anything is applied.
	Hook int
}
