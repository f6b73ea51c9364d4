package argocd

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/argoproj/argo-cd/v2/pkg/apiclient/application"
	"github.com/argoproj/argo-cd/v2/pkg/apis/application/v1alpha1"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/synestra/promoter/internal/release"
)

// Live asks the cluster itself, through Argo CD, how an Application's
// Deployments and StatefulSets are, whether a development session stands in for
// one of them, and why pods fail. Which objects there are is Argo CD's cached
// tree; each is then read from the cluster. A clone that is not in the tree
// cannot be asked for: Argo CD refuses what is no part of the Application,
// whether it is there or not.
//
// Where Argo CD answers but the cluster cannot be read, [release.Live.Problem]
// says why. The error is for Argo CD itself being out of reach, and
// [release.ErrNotVisible].
func (c *Client) Live(ctx context.Context, name string) (release.Live, error) {
	ahead := c.readAhead(ctx, name)
	t, err := c.tree(ctx, name)
	ahead.wait()
	if err != nil {
		switch status.Code(err) {
		case codes.NotFound, codes.PermissionDenied, codes.Unauthenticated, codes.Unavailable, codes.DeadlineExceeded, codes.Canceled:
			return release.Live{}, fmt.Errorf("reading the resources of Application %s: %w", name, explain(err, name))
		}
		return release.Live{Problem: "reading the resource tree: " + status.Convert(err).Message()}, nil
	}
	var live release.Live
	overdue := false
	for _, node := range t.workloads() {
		w, there, err := ahead.take(ctx, node)
		if ctx.Err() != nil {
			return release.Live{}, fmt.Errorf("reading the resources of Application %s: %w", name, err)
		}
		if err != nil {
			return release.Live{Problem: fmt.Sprintf("reading %s %s: %s", node.Kind, node.Name, status.Convert(err).Message())}, nil
		}
		if !there {
			continue
		}
		r := w.release()
		r.Kind, r.Namespace, r.Name = node.Kind, node.Namespace, node.Name
		live.Workloads = append(live.Workloads, r)
		live.Session = session(live.Session, r, w.replaced())
		overdue = overdue || r.DeadlineExceeded && !r.Clone
		if r.Clone {
			t.leaveOut(node)
		}
	}
	c.remember(name, t.workloads())
	live.Failing = c.failing(ctx, name, t.pods(), overdue)
	return live, nil
}

// session adds what one workload shows: the clone is the session; the original
// shows only that there is one.
func session(found *release.Session, w release.Workload, replaced bool) *release.Session {
	switch {
	case w.Clone && (found == nil || found.Image == ""):
		s := &release.Session{Workload: w.Name}
		if len(w.Images) > 0 {
			s.Image = w.Images[0]
		}
		return s
	case replaced && found == nil:
		return &release.Session{Workload: w.Name}
	}
	return found
}

// maxPods bounds how many failing pods are asked about and shown.
const maxPods = 5

// failing says why pods fail. A pod that cannot be read is described by what
// the tree knows of it.
func (c *Client) failing(ctx context.Context, name string, nodes []*v1alpha1.ResourceNode, overdue bool) []release.PodFailure {
	var list []release.PodFailure
	for _, node := range nodes[:min(maxPods, len(nodes))] {
		var p pod
		there, err := c.read(ctx, name, node, &p)
		f := release.PodFailure{Pod: node.Name}
		switch {
		case err != nil:
			f.Reason, f.Message = described(node)
		case there:
			f.Reason, f.Message = p.failure(overdue)
		}
		if f.Reason != "" {
			f.Message = clip(f.Message)
			list = append(list, f)
		}
	}
	return list
}

// described is why a pod fails as the tree has it, "" unless it is Degraded.
func described(node *v1alpha1.ResourceNode) (reason, message string) {
	if node.Health == nil || node.Health.Status != "Degraded" {
		return "", ""
	}
	reason = "Degraded"
	for _, i := range node.Info {
		if i.Name == "Status Reason" {
			reason = i.Value
		}
	}
	return reason, node.Health.Message
}

func (c *Client) tree(ctx context.Context, name string) (*tree, error) {
	ctx, stop := context.WithTimeout(ctx, c.pace.call)
	defer stop()
	q := &application.ResourcesQuery{ApplicationName: &name, Project: c.projectOf(name)}
	t, err := c.apps.ResourceTree(ctx, q)
	if err != nil {
		return nil, err
	}
	return newTree(t.Nodes), nil
}

// read fetches a live object. It is not there if it was deleted after the tree
// was made.
func (c *Client) read(ctx context.Context, name string, node *v1alpha1.ResourceNode, into any) (there bool, err error) {
	ctx, stop := context.WithTimeout(ctx, c.pace.call)
	defer stop()
	answer, err := c.apps.GetResource(ctx, &application.ApplicationResourceRequest{
		Name: &name, Project: c.projectOf(name), Namespace: &node.Namespace, ResourceName: &node.Name,
		Group: &node.Group, Version: &node.Version, Kind: &node.Kind,
	})
	switch status.Code(err) {
	case codes.OK:
	case codes.NotFound, codes.InvalidArgument: // gone from the cluster, or from the tree
		return false, nil
	default:
		return false, err
	}
	if err := json.Unmarshal([]byte(answer.GetManifest()), into); err != nil {
		return false, fmt.Errorf("not a %s: %w", node.Kind, err)
	}
	return true, nil
}
