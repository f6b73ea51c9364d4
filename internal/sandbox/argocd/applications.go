package argocd

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"

	"github.com/argoproj/argo-cd/v2/pkg/apiclient/application"
	"github.com/argoproj/argo-cd/v2/pkg/apis/application/v1alpha1"
	"github.com/argoproj/gitops-engine/pkg/sync/common"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/watch"
)

// applicationService is the API of Applications. What a real server answers and
// in which order it checks is taken from server/application/application.go of
// Argo CD 2.14. Methods that are not here answer Unimplemented.
type applicationService struct {
	application.UnimplementedApplicationServiceServer
	world *world
}

// selection is what List and Watch filter by.
type selection struct {
	name     string
	projects []string
	labels   labels.Selector
}

func selected(q *application.ApplicationQuery) (selection, error) {
	by, err := labels.Parse(q.GetSelector())
	if err != nil {
		return selection{}, fmt.Errorf("error parsing the selector: %w", err)
	}
	return selection{q.GetName(), projectsOf(q), by}, nil
}

// projectsOf are the projects of a query, which has two names for them.
func projectsOf(q *application.ApplicationQuery) []string {
	if q.Project != nil {
		return q.Project
	}
	return q.Projects
}

func (s selection) has(a *v1alpha1.Application) bool {
	return (s.name == "" || s.name == a.Name) &&
		(len(s.projects) == 0 || slices.Contains(s.projects, a.Spec.Project)) &&
		s.labels.Matches(labels.Set(a.Labels))
}

// List answers from the informer's cache.
func (s *applicationService) List(_ context.Context, q *application.ApplicationQuery) (*v1alpha1.ApplicationList, error) {
	by, err := selected(q)
	if err != nil {
		return nil, err
	}
	list := &v1alpha1.ApplicationList{ListMeta: metav1.ListMeta{ResourceVersion: s.world.currentVersion()}}
	for _, a := range s.world.cached() {
		if by.has(a) && s.world.maySee(a.Name) && (q.GetRepo() == "" || slices.ContainsFunc(a.Spec.GetSources(), func(source v1alpha1.ApplicationSource) bool {
			return source.RepoURL == q.GetRepo()
		})) {
			list.Items = append(list.Items, *a)
		}
	}
	return list, nil
}

// Watch sends every Application as ADDED and only then subscribes, so what
// happens in between is lost, as in a real server. resourceVersion replays
// nothing: older versions are only filtered out.
func (s *applicationService) Watch(q *application.ApplicationQuery, stream application.ApplicationService_WatchServer) error {
	by, err := selected(q)
	if err != nil {
		return err
	}
	since, _ := strconv.Atoi(q.GetResourceVersion()) // what is no number is no filter
	send := func(e *v1alpha1.ApplicationWatchEvent) error {
		version, err := strconv.Atoi(e.Application.ResourceVersion)
		if err == nil && version < since || !by.has(&e.Application) || !s.world.maySee(e.Application.Name) {
			return nil
		}
		return stream.Send(e)
	}
	if q.GetResourceVersion() == "" || q.GetName() != "" {
		for _, a := range s.world.cached() {
			if err := send(&v1alpha1.ApplicationWatchEvent{Type: watch.Added, Application: *a}); err != nil {
				return err
			}
		}
	}
	subscription, stop := s.world.subscribe()
	defer stop()
	for {
		select {
		case e := <-subscription.events:
			if err := send(e); err != nil {
				return err
			}
		case <-stream.Context().Done():
			return nil
		}
	}
}

// Get answers with the newest version. With refresh it sets the annotation and
// answers when the controller has taken it away: never, if there is none.
func (s *applicationService) Get(ctx context.Context, q *application.ApplicationQuery) (*v1alpha1.Application, error) {
	projects := projectsOf(q)
	if len(projects) > 1 {
		return nil, status.Error(codes.InvalidArgument, "multiple projects specified - the get endpoint accepts either zero or one project")
	}
	project := ""
	if len(projects) == 1 {
		project = projects[0]
	}
	var found *v1alpha1.Application
	var refreshed *waiter
	err := s.world.visible(project, q.GetName(), func(a *instance) error {
		if q.Refresh != nil {
			s.world.annotate(a, q.GetRefresh())
			// From here on, so that the very version is seen that answers it.
			refreshed = s.world.await(q.GetName(), func(a v1alpha1.Application) bool {
				_, requested := a.IsRefreshRequested()
				return !requested
			})
		}
		found = a.object
		return nil
	})
	if err != nil || q.Refresh == nil {
		return found, err
	}
	answer, err := s.world.awaited(ctx, refreshed)
	if err != nil {
		return nil, errors.New("application refresh deadline exceeded")
	}
	return answer, nil
}

func (w *world) annotate(a *instance, refresh string) {
	if refresh != string(v1alpha1.RefreshTypeHard) {
		refresh = string(v1alpha1.RefreshTypeNormal)
	}
	w.write(a, func(next *v1alpha1.Application) { set(&next.Annotations, v1alpha1.AnnotationKeyRefresh, refresh) })
}

// Sync requests a sync of the branch's newest commit.
func (s *applicationService) Sync(ctx context.Context, q *application.ApplicationSyncRequest) (*v1alpha1.Application, error) {
	w := s.world
	var found *v1alpha1.Application
	err := w.visible(q.GetProject(), q.GetName(), func(a *instance) error {
		if w.faults.closed[a.spec.Name()] {
			return status.Error(codes.PermissionDenied, "cannot sync: blocked by sync window")
		}
		if err := w.maySync(a); err != nil {
			return err
		}
		if a.spec.AutoSync && !q.GetDryRun() {
			for _, revision := range append([]string{q.GetRevision()}, q.GetRevisions()...) {
				if revision != "" && revision != w.options.Branch {
					return status.Errorf(codes.FailedPrecondition, "Cannot sync to %s: auto-sync currently set to %s", revision, w.options.Branch)
				}
			}
		}
		commit, err := w.repo.head(ctx)
		if err != nil {
			return status.Error(codes.FailedPrecondition, err.Error())
		}
		if a.object.Operation != nil {
			busy := status.Error(codes.FailedPrecondition, "another operation is already in progress")
			return fmt.Errorf("error setting app operation: %w", busy)
		}
		w.request(a, operation(a, q, commit, w.options.Account))
		found = a.object
		return nil
	})
	return found, err
}

func operation(a *instance, q *application.ApplicationSyncRequest, commit, account string) *v1alpha1.Operation {
	op := &v1alpha1.Operation{
		Sync: &v1alpha1.SyncOperation{
			Prune: q.GetPrune(), DryRun: q.GetDryRun(), SyncStrategy: q.Strategy,
			SyncOptions: a.object.Spec.SyncPolicy.SyncOptions, Sources: a.object.Spec.Sources,
		},
		InitiatedBy: v1alpha1.OperationInitiator{Username: account},
		Info:        q.Infos,
	}
	op.Sync.Revision, op.Sync.Revisions = a.spec.revisionsOf(commit)
	for _, r := range q.Resources {
		op.Sync.Resources = append(op.Sync.Resources, *r)
	}
	return op
}

// TerminateOperation ends a running sync at its next step.
func (s *applicationService) TerminateOperation(_ context.Context, q *application.OperationTerminateRequest) (*application.OperationTerminateResponse, error) {
	w := s.world
	return &application.OperationTerminateResponse{}, w.visible(q.GetProject(), q.GetName(), func(a *instance) error {
		if err := w.maySync(a); err != nil {
			return err
		}
		if a.object.Operation == nil || a.object.Status.OperationState == nil {
			return status.Error(codes.InvalidArgument, "Unable to terminate operation. No operation is in progress")
		}
		w.write(a, func(next *v1alpha1.Application) { next.Status.OperationState.Phase = common.OperationTerminating })
		return nil
	})
}

// GetApplicationSyncWindows says whether the Application may be synced now.
func (s *applicationService) GetApplicationSyncWindows(_ context.Context, q *application.ApplicationSyncWindowsQuery) (*application.ApplicationSyncWindowsResponse, error) {
	answer := &application.ApplicationSyncWindowsResponse{CanSync: new(true)}
	return answer, s.world.visible(q.GetProject(), q.GetName(), func(a *instance) error {
		if !s.world.faults.closed[a.spec.Name()] {
			return nil
		}
		window := &application.ApplicationSyncWindow{
			Kind: new("deny"), Schedule: new("* * * * *"), Duration: new("1h"), ManualSync: new(false),
		}
		answer.CanSync = new(false)
		answer.ActiveWindows = []*application.ApplicationSyncWindow{window}
		answer.AssignedWindows = answer.ActiveWindows
		return nil
	})
}
