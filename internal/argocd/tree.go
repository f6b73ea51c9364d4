package argocd

import (
	"cmp"
	"slices"
	"strconv"
	"strings"

	"github.com/argoproj/argo-cd/v2/pkg/apis/application/v1alpha1"
)

// tree is an Application's objects with their owners.
type tree struct {
	nodes []v1alpha1.ResourceNode
	byUID map[string]*v1alpha1.ResourceNode
	out   map[string]bool // UIDs of objects that are not the app's own
}

func newTree(nodes []v1alpha1.ResourceNode) *tree {
	t := &tree{nodes: nodes, byUID: map[string]*v1alpha1.ResourceNode{}, out: map[string]bool{}}
	newest := map[string]int{} // revision of the newest ReplicaSet, by its Deployment's UID
	for i := range nodes {
		n := &nodes[i]
		if n.UID != "" {
			t.byUID[n.UID] = n
		}
		if n.Kind == "ReplicaSet" {
			newest[owner(n)] = max(newest[owner(n)], rolloutRevision(n))
		}
	}
	for _, n := range nodes {
		// Pods of an old ReplicaSet say nothing about the release that replaces it.
		if n.Kind == "ReplicaSet" && owner(&n) != "" && rolloutRevision(&n) < newest[owner(&n)] {
			t.out[n.UID] = true
		}
	}
	return t
}

// leaveOut excludes an object, and all it owns, from the pods.
func (t *tree) leaveOut(n *v1alpha1.ResourceNode) { t.out[n.UID] = true }

// workloads are the Deployments and StatefulSets that are in the cluster. Those
// that are missing there have no UID; Argo CD calls them OutOfSync.
func (t *tree) workloads() []*v1alpha1.ResourceNode {
	var list []*v1alpha1.ResourceNode
	for i := range t.nodes {
		if n := &t.nodes[i]; isWorkload(n.Group, n.Kind) && n.UID != "" {
			list = append(list, n)
		}
	}
	slices.SortFunc(list, func(a, b *v1alpha1.ResourceNode) int {
		return cmp.Or(cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Namespace, b.Namespace), cmp.Compare(a.Name, b.Name))
	})
	return list
}

// pods are the app's own pods that are not healthy, the worst first.
func (t *tree) pods() []*v1alpha1.ResourceNode {
	var list []*v1alpha1.ResourceNode
	for i := range t.nodes {
		n := &t.nodes[i]
		healthy := n.Health != nil && n.Health.Status == "Healthy"
		if n.Group == "" && n.Kind == "Pod" && n.UID != "" && !healthy && !t.excluded(n) {
			list = append(list, n)
		}
	}
	rank := func(n *v1alpha1.ResourceNode) int {
		if n.Health != nil && n.Health.Status == "Degraded" {
			return 0
		}
		return 1
	}
	slices.SortFunc(list, func(a, b *v1alpha1.ResourceNode) int {
		return cmp.Or(cmp.Compare(rank(a), rank(b)), cmp.Compare(a.Name, b.Name))
	})
	return list
}

// excluded says that the object or one of its owners was left out. A chain of
// owners in Kubernetes has at most a few links; the bound is for broken ones.
func (t *tree) excluded(n *v1alpha1.ResourceNode) bool {
	for range 10 {
		if n == nil {
			return false
		}
		if t.out[n.UID] {
			return true
		}
		n = t.byUID[owner(n)]
	}
	return false
}

func owner(n *v1alpha1.ResourceNode) string {
	if len(n.ParentRefs) == 0 {
		return ""
	}
	return n.ParentRefs[0].UID
}

// rolloutRevision is the number n of a ReplicaSet's "Rev:n", 0 if it has none.
func rolloutRevision(n *v1alpha1.ResourceNode) int {
	for _, i := range n.Info {
		if i.Name == "Revision" {
			rev, _ := strconv.Atoi(strings.TrimPrefix(i.Value, "Rev:"))
			return rev
		}
	}
	return 0
}
