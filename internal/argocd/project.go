package argocd

import (
	"cmp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/argoproj/argo-cd/v2/pkg/apis/application/v1alpha1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/synestra/promoter/internal/release"
)

// What is kept of lists that can be long.
const (
	keptHistory = 5
	keptFailed  = 10
	keptText    = 1000 // bytes of a message
)

// project is the part of an Application that decisions are made on. It shares
// no memory with the Application, which can be a hundred times as big.
func project(app *v1alpha1.Application) release.Snapshot {
	version, _ := strconv.ParseInt(app.ResourceVersion, 10, 64) // 0 is older than any
	status := &app.Status
	s := release.Snapshot{
		Name: app.Name, Project: app.Spec.GetProject(), UID: string(app.UID), ResourceVersion: version,
		Deleted: app.DeletionTimestamp != nil,
		// Since Argo CD 3.2 automated.enabled may switch this off again. The v2
		// messages do not have that field.
		AutoSync:  app.Spec.SyncPolicy != nil && app.Spec.SyncPolicy.Automated != nil,
		Revisions: revisions(status.Sync.Revision, status.Sync.Revisions),
		Sync:      string(status.Sync.Status), Health: string(status.Health.Status),
		HealthMessage: clip(status.Health.Message),
		HealthSince:   timestamp(status.Health.LastTransitionTime),
		ReconciledAt:  timestamp(status.ReconciledAt),
		HistoryID:     -1,
		Images:        slices.Clone(status.Summary.Images),
		Resources:     resources(status.Resources),
	}
	for _, source := range app.Spec.GetSources() {
		s.Sources = append(s.Sources, release.Source{RepoURL: source.RepoURL, TargetRevision: source.TargetRevision})
		s.Paths = append(s.Paths, source.Path)
	}
	if app.Operation != nil {
		s.Requested = &release.SyncRequest{Revisions: asked(app.Operation)}
	}
	if status.OperationState != nil {
		s.Operation = operation(status.OperationState)
	}
	for _, h := range status.History {
		s.HistoryID = max(s.HistoryID, h.ID)
	}
	for _, h := range status.History[max(0, len(status.History)-keptHistory):] {
		s.History = append(s.History, deployment(h))
	}
	for _, c := range status.Conditions {
		s.Conditions = append(s.Conditions, release.Condition{Type: c.Type, Message: clip(c.Message), At: timestamp(c.LastTransitionTime)})
	}
	return s
}

func deployment(h v1alpha1.RevisionHistory) release.Deployment {
	d := release.Deployment{ID: h.ID, StartedAt: timestamp(h.DeployStartedAt), Revisions: revisions(h.Revision, h.Revisions)}
	if !h.InitiatedBy.Automated {
		d.By = h.InitiatedBy.Username
	}
	return d
}

// revisions are by source. An Application with spec.sources fills the list and
// leaves the single one empty, also where the list has one item.
func revisions(one string, several []string) []release.Revision {
	if len(several) == 0 {
		if one == "" {
			return nil
		}
		return []release.Revision{release.Revision(one)}
	}
	list := make([]release.Revision, len(several))
	for i, r := range several {
		list[i] = release.Revision(r)
	}
	return list
}

func asked(o *v1alpha1.Operation) []release.Revision {
	if o.Sync == nil {
		return nil
	}
	return revisions(o.Sync.Revision, o.Sync.Revisions)
}

func operation(o *v1alpha1.OperationState) *release.SyncOperation {
	s := &release.SyncOperation{
		Phase: string(o.Phase), Message: clip(o.Message),
		StartedAt: timestamp(&o.StartedAt), FinishedAt: timestamp(o.FinishedAt),
		RetryCount: o.RetryCount,
		DryRun:     o.Operation.Sync != nil && o.Operation.Sync.DryRun,
		Requested:  asked(&o.Operation),
	}
	if !o.Operation.InitiatedBy.Automated {
		s.By = o.Operation.InitiatedBy.Username
	}
	if o.SyncResult == nil {
		return s
	}
	s.Result = revisions(o.SyncResult.Revision, o.SyncResult.Revisions)
	s.Unchanged = len(o.SyncResult.Resources) > 0
	for _, r := range o.SyncResult.Resources {
		if r == nil {
			continue
		}
		// In the words of kubectl apply; a server-side apply does not say.
		s.Unchanged = s.Unchanged && strings.HasSuffix(r.Message, " unchanged")
		// hookPhase is set of resources that are no hooks, too.
		hook := r.HookType != ""
		switch {
		case hook && r.HookPhase == "Running":
			s.Hooks = append(s.Hooks, r.Name)
		case len(s.Failed) == keptFailed:
		case r.Status == "SyncFailed" || hook && (r.HookPhase == "Failed" || r.HookPhase == "Error"):
			s.Failed = append(s.Failed, release.Resource{
				Kind: r.Kind, Namespace: r.Namespace, Name: r.Name,
				Status: cmp.Or(string(r.Status), string(r.HookPhase)), Message: clip(r.Message),
			})
		}
	}
	return s
}

// resources keeps the workloads, and of the others those that are not as they
// should be: most Applications have dozens that are Synced and Healthy.
func resources(list []v1alpha1.ResourceStatus) []release.Resource {
	var kept []release.Resource
	for _, r := range list {
		var health, message string
		if r.Health != nil {
			health, message = string(r.Health.Status), clip(r.Health.Message)
		}
		fine := r.Status == v1alpha1.SyncStatusCodeSynced && (health == "" || health == "Healthy") && !r.RequiresPruning
		if fine && !isWorkload(r.Group, r.Kind) {
			continue
		}
		kept = append(kept, release.Resource{
			Kind: r.Kind, Namespace: r.Namespace, Name: r.Name,
			Status: string(r.Status), Health: health, Message: message, RequiresPruning: r.RequiresPruning,
		})
	}
	return kept
}

func isWorkload(group, kind string) bool {
	return group == "apps" && (kind == "Deployment" || kind == "StatefulSet")
}

// timestamp is a time as the cluster writes it: UTC, in whole seconds.
func timestamp(t *metav1.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.RFC3339)
}

// clip bounds a message: rendering errors can hold whole manifests.
func clip(s string) string {
	if len(s) <= keptText {
		return s
	}
	return strings.ToValidUTF8(s[:keptText], "") + "…"
}
