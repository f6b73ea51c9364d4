package argocd

import (
	"fmt"
	"maps"
	"strconv"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/synestra/promoter/internal/release"
)

// Okteto's marks (okteto/okteto, pkg/model/const.go). They do not name the person.
const (
	oktetoLabel       = "dev.okteto.com"
	oktetoClone       = "dev.okteto.com/clone"
	oktetoReplicas    = "dev.okteto.com/replicas"
	oktetoMode        = "dev.okteto.com/dev-mode"
	oktetoInteractive = "interactive.dev.okteto.com"
)

// cloneSuffix is what the development clone's name has after the original's.
const cloneSuffix = "-okteto"

// GoHot does to the app in dev what `okteto up` does: its Deployment is scaled
// to zero and marked, and a clone with a development image runs beside it.
func (s *Server) GoHot(app string) error { return s.goHot(app, clone) }

// GoHotUnlisted is GoHot where annotation tracking was switched on after the
// Deployment was last synced: it has no annotation yet that the clone could
// copy, so Argo CD knows nothing of the clone.
func (s *Server) GoHotUnlisted(app string) error {
	return s.goHot(app, func(original *appsv1.Deployment) *appsv1.Deployment {
		copied := clone(original)
		delete(copied.Labels, trackingLabel)
		delete(copied.Annotations, trackingAnnotation)
		return copied
	})
}

func (s *Server) goHot(app string, clone func(*appsv1.Deployment) *appsv1.Deployment) error {
	spec := AppSpec{App: app, Environment: "dev"}
	return s.world.edit(spec.Name(), func(a *instance) error {
		original := a.cluster.workload(app)
		switch {
		case original == nil:
			return fmt.Errorf("%s has no Deployment yet", spec.Name())
		case a.cluster.workload(app+cloneSuffix) != nil:
			return fmt.Errorf("%s has a development session already", spec.Name())
		}
		a.cluster.create(clone(original.deployment), s.world.now())
		a.cluster.change(original, func(d *appsv1.Deployment) {
			if _, marked := d.Annotations[oktetoReplicas]; !marked {
				set(&d.Annotations, oktetoReplicas, strconv.Itoa(int(*d.Spec.Replicas)))
			}
			set(&d.Annotations, oktetoMode, "sync")
			set(&d.Labels, oktetoLabel, "true")
			d.Spec.Replicas = new(int32(0))
		})
		return nil
	})
}

// clone is Okteto's copy of a Deployment. It has all labels and annotations of
// the original, so the marks by which Argo CD tracks its resources too.
func clone(original *appsv1.Deployment) *appsv1.Deployment {
	labels := map[string]string{oktetoInteractive: original.Name}
	meta := metav1.ObjectMeta{
		Name: original.Name + cloneSuffix, Namespace: original.Namespace,
		Labels: maps.Clone(original.Labels), Annotations: maps.Clone(original.Annotations),
	}
	delete(meta.Annotations, revisionAnnotation) // the Deployment controller numbers anew
	set(&meta.Labels, oktetoClone, string(original.UID))
	set(&meta.Annotations, oktetoMode, "sync")
	return &appsv1.Deployment{
		TypeMeta:   original.TypeMeta,
		ObjectMeta: meta,
		Spec: appsv1.DeploymentSpec{
			Replicas: new(int32(1)),
			Strategy: appsv1.DeploymentStrategy{Type: appsv1.RecreateDeploymentStrategyType},
			Selector: &metav1.LabelSelector{MatchLabels: labels},
			Template: corev1.PodTemplateSpec{
				ObjectMeta: metav1.ObjectMeta{Labels: labels},
				Spec: corev1.PodSpec{
					InitContainers: []corev1.Container{{Name: "okteto-bin", Image: "okteto/bin:1.6.1"}},
					Containers:     []corev1.Container{{Name: "web", Image: "okteto/node:20"}},
				},
			},
		},
	}
}

// EndSession does what `okteto down` does: the marks and the clone go, and the
// Deployment gets its replicas back.
func (s *Server) EndSession(app string) error {
	spec := AppSpec{App: app, Environment: "dev"}
	return s.world.edit(spec.Name(), func(a *instance) error {
		original := a.cluster.workload(app)
		if original == nil || original.deployment.Labels[oktetoLabel] == "" {
			return fmt.Errorf("%s has no development session", spec.Name())
		}
		n, err := strconv.Atoi(original.deployment.Annotations[oktetoReplicas])
		if err != nil {
			return fmt.Errorf("reading the mark %s of %s: %w", oktetoReplicas, spec.Name(), err)
		}
		a.cluster.change(original, func(d *appsv1.Deployment) {
			d.Spec.Replicas = new(int32(n))
			delete(d.Labels, oktetoLabel)
			delete(d.Annotations, oktetoReplicas)
			delete(d.Annotations, oktetoMode)
		})
		if a.cluster.workload(app+cloneSuffix) != nil {
			a.cluster.remove(app + cloneSuffix)
		}
		return nil
	})
}

// Drift scales an Application's Deployment past what Git says, as somebody with
// kubectl does. An autoscaled one has no drift of that kind; use SetImage.
func (s *Server) Drift(application string) error {
	return s.world.patch(application, func(d *appsv1.Deployment) { d.Spec.Replicas = new(*d.Spec.Replicas + 1) })
}

// SetImage makes an Application's Deployment run another tag than Git says.
func (s *Server) SetImage(application, tag string) error {
	return s.world.patch(application, func(d *appsv1.Deployment) {
		container := &d.Spec.Template.Spec.Containers[0]
		repository, _ := release.SplitImage(container.Image)
		container.Image = repository + ":" + tag
	})
}

func (w *world) patch(name string, edit func(*appsv1.Deployment)) error {
	return w.edit(name, func(a *instance) error {
		own := a.cluster.workload(a.spec.App)
		if own == nil {
			return fmt.Errorf("%s has no Deployment yet", name)
		}
		a.cluster.change(own, edit)
		return nil
	})
}

func set(m *map[string]string, key, value string) {
	if *m == nil {
		*m = map[string]string{}
	}
	(*m)[key] = value
}
