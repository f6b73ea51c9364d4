package argocd

import (
	"encoding/json"
	"fmt"
	"reflect"

	"github.com/argoproj/argo-cd/v2/pkg/apis/application/v1alpha1"
	"github.com/argoproj/gitops-engine/pkg/health"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
)

// comparison is what is live against what was rendered.
type comparison struct {
	status    v1alpha1.SyncStatusCode
	health    health.HealthStatusCode
	resources []v1alpha1.ResourceStatus // by kind and name
	managed   []*v1alpha1.ResourceDiff
}

// object is a Kubernetes object of any kind.
type object interface {
	metav1.Object
	runtime.Object
}

// pair is one object as it is wanted and as it is; nil where it is not.
type pair struct{ target, live object }

// compare holds the namespace against the manifests. Without manifests (they
// could not be rendered) every status is Unknown.
func (n *namespace) compare(spec AppSpec, want *manifests) (comparison, error) {
	c := comparison{status: v1alpha1.SyncStatusCodeSynced, health: health.HealthStatusHealthy}
	if want == nil {
		c.status = v1alpha1.SyncStatusCodeUnknown
	}
	for _, p := range n.pairs(spec, want) {
		r, err := p.compare(spec, want == nil)
		if err != nil {
			return comparison{}, err
		}
		if r.Status == v1alpha1.SyncStatusCodeOutOfSync {
			c.status = v1alpha1.SyncStatusCodeOutOfSync
		}
		if health.IsWorse(c.health, r.Health.Status) {
			c.health = r.Health.Status
		}
		c.resources = append(c.resources, r)
		if !r.RequiresPruning && r.Status == "" {
			continue // it is somebody else's and only in the tree
		}
		d, err := p.diff(r)
		if err != nil {
			return comparison{}, err
		}
		c.managed = append(c.managed, d)
	}
	return c, nil
}

func (n *namespace) pairs(spec AppSpec, want *manifests) []pair {
	var service, deployment pair
	if want != nil {
		service.target, deployment.target = want.service, want.deployment
	}
	if n.service != nil {
		service.live = n.service
	}
	var others []pair
	for _, w := range n.listed() {
		if w.deployment.Name == spec.App {
			deployment.live = w.deployment
		} else {
			others = append(others, pair{live: w.deployment})
		}
	}
	var found []pair
	for _, p := range append([]pair{service, deployment}, others...) {
		if p.any() != nil {
			found = append(found, p)
		}
	}
	return found
}

func (p pair) any() object {
	if p.live != nil {
		return p.live
	}
	return p.target
}

func (p pair) compare(spec AppSpec, unknown bool) (v1alpha1.ResourceStatus, error) {
	o := p.any()
	gvk := o.GetObjectKind().GroupVersionKind()
	r := v1alpha1.ResourceStatus{
		Group: gvk.Group, Version: gvk.Version, Kind: gvk.Kind, Namespace: o.GetNamespace(), Name: o.GetName(),
		Health: &v1alpha1.HealthStatus{Status: health.HealthStatusMissing},
	}
	ours := spec.owns(gvk.Group+"/"+gvk.Kind, o)
	switch {
	case !ours:
		// Copied from one of ours with its annotations: listed, but no difference.
	case unknown:
		r.Status = v1alpha1.SyncStatusCodeUnknown
	case p.target == nil:
		r.Status, r.RequiresPruning = v1alpha1.SyncStatusCodeOutOfSync, true
	case p.live == nil || p.differs():
		r.Status = v1alpha1.SyncStatusCodeOutOfSync
	default:
		r.Status = v1alpha1.SyncStatusCodeSynced
	}
	if p.live != nil {
		h, err := healthOf(p.live)
		if err != nil {
			return r, err
		}
		r.Health = h
	}
	return r, nil
}

// differs says that an apply would change the object. Labels and annotations
// that others added are no difference, as a three-way merge leaves them alone.
func (p pair) differs() bool {
	want, ok := p.target.(*appsv1.Deployment)
	if !ok {
		return false // nothing here changes a Service
	}
	live := p.live.(*appsv1.Deployment)
	return !sameTemplate(want.Spec.Template, live.Spec.Template) ||
		want.Spec.Replicas != nil && *want.Spec.Replicas != *live.Spec.Replicas
}

func (p pair) diff(r v1alpha1.ResourceStatus) (*v1alpha1.ResourceDiff, error) {
	d := &v1alpha1.ResourceDiff{
		Group: r.Group, Kind: r.Kind, Namespace: r.Namespace, Name: r.Name,
		TargetState: "null", LiveState: "null", Modified: r.Status == v1alpha1.SyncStatusCodeOutOfSync,
	}
	for _, side := range []struct {
		text *string
		of   object
	}{{&d.TargetState, p.target}, {&d.LiveState, p.live}} {
		if side.of == nil {
			continue
		}
		text, err := json.Marshal(side.of)
		if err != nil {
			return nil, fmt.Errorf("writing %s %s: %w", r.Kind, r.Name, err)
		}
		*side.text = string(text)
	}
	d.NormalizedLiveState, d.PredictedLiveState = d.LiveState, d.TargetState
	return d, nil
}

// healthOf is Argo CD's own judgement of a live object; "" for a kind that has none.
func healthOf(o object) (*v1alpha1.HealthStatus, error) {
	fields, err := runtime.DefaultUnstructuredConverter.ToUnstructured(o)
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", o.GetName(), err)
	}
	h, err := health.GetResourceHealth(&unstructured.Unstructured{Object: fields}, nil)
	if err != nil {
		return nil, fmt.Errorf("judging the health of %s: %w", o.GetName(), err)
	}
	if h == nil {
		return &v1alpha1.HealthStatus{}, nil
	}
	return &v1alpha1.HealthStatus{Status: h.Status, Message: h.Message}, nil
}

func sameSpec(a, b appsv1.DeploymentSpec) bool {
	return *a.Replicas == *b.Replicas && sameTemplate(a.Template, b.Template)
}

func sameTemplate(a, b corev1.PodTemplateSpec) bool { return reflect.DeepEqual(a, b) }
