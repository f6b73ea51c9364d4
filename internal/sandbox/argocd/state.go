package argocd

import (
	"slices"

	"github.com/synestra/promoter/internal/release"
)

// State is what is true of an Application and its cluster, for assertions. It
// is read from the simulation itself, not through the API.
type State struct {
	Revision      string // last compared
	Sync, Health  string
	Phase         string   // of the last sync operation, "" if there is none
	Operating     bool     // a sync is requested or running
	Tag           string   // what the app's own Deployment is to run
	Replicas      int      // how many pods of it there should be
	Ready         int      // ready pods with that tag
	SessionStands bool     // the development clone is there
	Marked        bool     // the app's own Deployment carries Okteto's marks
	Syncs         []string // who started each sync since it was added, "" for the controller
}

// State is how an Application and its cluster are; zero if there is no such Application.
func (s *Server) State(application string) State {
	w := s.world
	w.mu.Lock()
	defer w.mu.Unlock()
	a := w.named(application)
	if a == nil {
		return State{}
	}
	status := a.object.Status
	state := State{
		Revision: commitOf(status.Sync.Revision, status.Sync.Revisions),
		Sync:     string(status.Sync.Status), Health: string(status.Health.Status),
		Operating: a.object.Operation != nil, Syncs: slices.Clone(a.syncs),
		SessionStands: a.cluster.workload(a.spec.App+cloneSuffix) != nil,
	}
	if status.OperationState != nil {
		state.Phase = string(status.OperationState.Phase)
	}
	if own := a.cluster.workload(a.spec.App); own != nil {
		_, tag := release.SplitImage(own.image())
		state.Tag, state.Replicas = string(tag), int(*own.deployment.Spec.Replicas)
		state.Marked = own.deployment.Labels[oktetoLabel] != ""
		for _, set := range own.sets {
			if set.image() == own.image() {
				state.Ready += set.readyPods()
			}
		}
	}
	return state
}
