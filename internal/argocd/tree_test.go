package argocd

import (
	"slices"
	"testing"

	"github.com/argoproj/argo-cd/v2/pkg/apis/application/v1alpha1"
)

// node is an object of the tree; its UID is its name.
func node(kind, name, owner, health, rev string) v1alpha1.ResourceNode {
	n := v1alpha1.ResourceNode{ResourceRef: v1alpha1.ResourceRef{Kind: kind, Name: name, UID: name, Namespace: "n", Version: "v1"}}
	if kind != "Pod" {
		n.Group = "apps"
	}
	if owner != "" {
		n.ParentRefs = []v1alpha1.ResourceRef{{UID: owner}}
	}
	if health != "" {
		n.Health = &v1alpha1.HealthStatus{}
		n.Health.Status = "x"
		switch health {
		case "h":
			n.Health.Status = "Healthy"
		case "d":
			n.Health.Status = "Degraded"
		case "p":
			n.Health.Status = "Progressing"
		}
	}
	if rev != "" {
		n.Info = []v1alpha1.InfoItem{{Name: "Revision", Value: rev}}
	}
	return n
}

func TestTree(t *testing.T) {
	missing := node("Deployment", "missing", "", "", "")
	missing.UID = ""
	job := node("Deployment", "other", "", "", "")
	job.Group = "batch"
	tr := newTree([]v1alpha1.ResourceNode{
		node("Pod", "new-1", "rs-10", "p", ""), node("Pod", "new-2", "rs-10", "d", ""), node("Pod", "new-3", "rs-10", "h", ""), node("Pod", "new-4", "rs-10", "", ""),
		node("Pod", "old-1", "rs-9", "d", ""), node("Pod", "dev-1", "rs-dev", "d", ""), node("Pod", "db-0", "db", "d", ""), node("Pod", "bare", "", "d", ""),
		node("ReplicaSet", "rs-9", "web", "", "Rev:9"), node("ReplicaSet", "rs-10", "web", "", "Rev:10"), node("ReplicaSet", "rs-dev", "web-okteto", "", "Rev:1"),
		node("StatefulSet", "db", "", "", ""), node("Deployment", "web-okteto", "", "", ""), node("Deployment", "web", "", "", ""), missing, job,
	})
	names := func(nodes []*v1alpha1.ResourceNode) (list []string) {
		for _, n := range nodes {
			list = append(list, n.Name)
		}
		return list
	}
	if got, want := names(tr.workloads()), []string{"web", "web-okteto", "db"}; !slices.Equal(got, want) {
		t.Errorf("workloads %v, want %v", got, want)
	}
	tr.leaveOut(tr.byUID["web-okteto"])
	if got, want := names(tr.pods()), []string{"bare", "db-0", "new-2", "new-1", "new-4"}; !slices.Equal(got, want) {
		t.Errorf("pods %v, want %v", got, want)
	}
}

func TestTreeWithALoop(t *testing.T) {
	tr := newTree([]v1alpha1.ResourceNode{node("Pod", "p", "a", "d", ""), node("ReplicaSet", "a", "b", "", ""), node("ReplicaSet", "b", "a", "", "")})
	if n := len(tr.pods()); n != 1 {
		t.Errorf("%d pods, want 1", n)
	}
}
