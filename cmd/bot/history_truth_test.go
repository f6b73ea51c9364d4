package main

import (
	"context"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/argoproj/argo-cd/v2/pkg/apis/application/v1alpha1"
	"github.com/argoproj/gitops-engine/pkg/health"
	"github.com/argoproj/gitops-engine/pkg/sync/common"

	"github.com/synestra/promoter/internal/sandbox/argocd"
)

// sight is what is true of an Application from a moment on, as the stand-in
// itself has it.
type sight struct {
	at                 time.Time
	busy               bool   // a sync is requested or running
	syncFailed         bool   // the last one
	failing            bool   // the last sync failed and is still wanted, or what it deployed fails
	manual             bool   // the last sync was a person's, and nothing syncs by itself
	automatic          bool   // syncs by itself
	deployed, compared string // revisions: of the last sync, and compared last
	sync, health, tags string // tags of all pods
}

// live says that the cluster runs the content completely, and nothing else. It
// does so too while a later sync has failed; else it is known of what is in sync,
// since for a moment after a sync health is that of the pods before.
func (s sight) live(c content) bool {
	return !s.busy && s.health == "Healthy" && s.tags == c.tag && (s.sync == "Synced" || s.syncFailed || !s.automatic)
}

// truth is all that was ever true of an Application. It is told by the stand-in
// of each version, before anybody else is.
type truth struct {
	mu     sync.Mutex
	sights []sight
}

// watch records until ctx ends.
func (t *truth) watch(ctx context.Context, server *argocd.Server, application string) {
	_ = server.Wait(ctx, application, func(a v1alpha1.Application) bool { // only ctx ends it
		s := see(a)
		t.mu.Lock()
		defer t.mu.Unlock()
		if n := len(t.sights); n > 0 {
			before := t.sights[n-1]
			before.at = s.at
			if before == s {
				return false
			}
		}
		t.sights = append(t.sights, s)
		return false
	})
}

func see(a v1alpha1.Application) sight {
	s := sight{
		at: time.Now(), busy: a.Operation != nil, compared: a.Status.Sync.Revision,
		sync: string(a.Status.Sync.Status), health: string(a.Status.Health.Status), automatic: a.Spec.SyncPolicy.Automated != nil,
	}
	var tags []string
	for _, image := range a.Status.Summary.Images {
		_, tag, _ := strings.Cut(image, ":")
		tags = append(tags, tag)
	}
	slices.Sort(tags)
	s.tags = strings.Join(slices.Compact(tags), " ")
	if o := a.Status.OperationState; o != nil && !s.busy {
		s.syncFailed = o.Phase == common.OperationFailed || o.Phase == common.OperationError
		s.manual = !s.automatic && o.Operation.InitiatedBy.Username != ""
		if o.SyncResult != nil {
			s.deployed = o.SyncResult.Revision
		}
	}
	s.failing = !s.busy && (s.syncFailed && s.sync != "Synced" || a.Status.Health.Status == health.HealthStatusDegraded)
	return s
}

func (t *truth) now() sight {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.sights) == 0 {
		return sight{busy: true}
	}
	return t.sights[len(t.sights)-1]
}

func (t *truth) all() []sight {
	t.mu.Lock()
	defer t.mu.Unlock()
	return slices.Clone(t.sights)
}
