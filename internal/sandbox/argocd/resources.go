package argocd

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/argoproj/argo-cd/v2/pkg/apiclient/application"
	"github.com/argoproj/argo-cd/v2/pkg/apis/application/v1alpha1"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// ResourceTree answers with the tree the controller cached last.
func (s *applicationService) ResourceTree(_ context.Context, q *application.ResourcesQuery) (*v1alpha1.ApplicationTree, error) {
	var tree *v1alpha1.ApplicationTree
	err := s.world.visible(q.GetProject(), q.GetApplicationName(), func(a *instance) error {
		tree = a.tree
		return nil
	})
	return tree, err
}

// WatchResourceTree sends the whole tree each time the controller caches a new
// one. It does not send the one there is at the start.
func (s *applicationService) WatchResourceTree(q *application.ResourcesQuery, stream application.ApplicationService_WatchResourceTreeServer) error {
	var regrown chan struct{}
	var tree *v1alpha1.ApplicationTree
	look := func(a *instance) error {
		tree, regrown = a.tree, a.regrown
		return nil
	}
	if err := s.world.visible(q.GetProject(), q.GetApplicationName(), look); err != nil {
		return err
	}
	for {
		select {
		case <-regrown:
		case <-stream.Context().Done():
			return nil
		}
		if err := s.world.visible(q.GetProject(), q.GetApplicationName(), look); err != nil {
			return err
		}
		if err := stream.Send(tree); err != nil {
			return err
		}
	}
}

// GetResource answers with the live object of the cluster, if the cached tree
// has it: not being in the tree is another error than being gone since.
func (s *applicationService) GetResource(_ context.Context, q *application.ApplicationResourceRequest) (*application.ApplicationResourceResponse, error) {
	answer := &application.ApplicationResourceResponse{}
	err := s.world.visible(q.GetProject(), q.GetName(), func(a *instance) error {
		if a.tree.FindNode(q.GetGroup(), q.GetKind(), q.GetNamespace(), q.GetResourceName()) == nil {
			return status.Errorf(codes.InvalidArgument, "%s %s %s not found as part of application %s", q.GetKind(), q.GetGroup(), q.GetResourceName(), q.GetName())
		}
		live := a.cluster.object(q.GetKind(), q.GetResourceName())
		if live == nil {
			return status.Errorf(codes.NotFound, "error getting resource: %s %q not found", q.GetKind(), q.GetResourceName())
		}
		text, err := json.Marshal(live)
		if err != nil {
			return fmt.Errorf("error marshaling object: %w", err)
		}
		answer.Manifest = new(string(text))
		return nil
	})
	if err != nil {
		return nil, err
	}
	return answer, nil
}

// object is the live object of that kind and name, nil if there is none.
func (n *namespace) object(kind, name string) object {
	if kind == "Service" && n.service != nil && n.service.Name == name {
		return n.service
	}
	for _, w := range n.workloads {
		if kind == "Deployment" && w.deployment.Name == name {
			return w.deployment
		}
		for _, s := range w.sets {
			if kind == "ReplicaSet" && s.object.Name == name {
				return s.object
			}
			for _, p := range s.pods {
				if kind == "Pod" && p.object.Name == name {
					return p.object
				}
			}
		}
	}
	return nil
}

// ManagedResources answers with what the last comparison compared.
func (s *applicationService) ManagedResources(_ context.Context, q *application.ResourcesQuery) (*application.ManagedResourcesResponse, error) {
	answer := &application.ManagedResourcesResponse{}
	err := s.world.visible(q.GetProject(), q.GetApplicationName(), func(a *instance) error {
		for _, d := range a.managed {
			if matches(q.GetKind(), d.Kind) && matches(q.GetName(), d.Name) && matches(q.GetGroup(), d.Group) && matches(q.GetNamespace(), d.Namespace) {
				answer.Items = append(answer.Items, d)
			}
		}
		return nil
	})
	return answer, err
}

func matches(filter, value string) bool { return filter == "" || filter == value }

// RevisionMetadata tells of a commit of our repository, which every source is.
func (s *applicationService) RevisionMetadata(ctx context.Context, q *application.RevisionMetadataQuery) (*v1alpha1.RevisionMetadata, error) {
	err := s.world.visible(q.GetProject(), q.GetName(), func(a *instance) error {
		if i, n := int(q.GetSourceIndex()), len(a.object.Spec.GetSources()); i < 0 || i >= n {
			return fmt.Errorf("error getting app source by source index and version ID: source index %d not found", i)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return s.world.repo.metadata(ctx, q.GetRevision())
}
