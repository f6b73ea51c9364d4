package argocd

import (
	"context"
	"sync"

	"github.com/argoproj/argo-cd/v2/pkg/apis/application/v1alpha1"
)

// ahead reads the workloads that an Application had when it was last looked at
// while its tree is on its way: the tree seldom has others.
type ahead struct {
	client *Client
	name   string
	work   sync.WaitGroup
	read   map[string]*readAhead // by UID
}

type readAhead struct {
	workload workload
	there    bool
	err      error
}

func (c *Client) readAhead(ctx context.Context, name string) *ahead {
	a := &ahead{client: c, name: name, read: map[string]*readAhead{}}
	c.mu.Lock()
	nodes := c.workloads[name]
	c.mu.Unlock()
	for _, node := range nodes {
		r := &readAhead{}
		a.read[node.UID] = r
		a.work.Go(func() { r.there, r.err = c.read(ctx, name, &node, &r.workload) })
	}
	return a
}

func (a *ahead) wait() { a.work.Wait() }

// take is a workload that the tree has, read ahead or now. It is not there if it
// was deleted after the tree was made.
func (a *ahead) take(ctx context.Context, node *v1alpha1.ResourceNode) (w workload, there bool, err error) {
	if r := a.read[node.UID]; r != nil && r.there && r.err == nil {
		return r.workload, true, nil
	}
	there, err = a.client.read(ctx, a.name, node, &w)
	return w, there, err
}

// remember keeps which workloads an Application has.
func (c *Client) remember(name string, nodes []*v1alpha1.ResourceNode) {
	kept := make([]v1alpha1.ResourceNode, len(nodes))
	for i, n := range nodes {
		kept[i] = v1alpha1.ResourceNode{ResourceRef: n.ResourceRef}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.workloads[name] = kept
}
