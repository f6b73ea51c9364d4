package argocd

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"gopkg.in/yaml.v3"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
)

// manifests are what the chart renders for one Application at one commit.
type manifests struct {
	deployment *appsv1.Deployment
	service    *corev1.Service
}

// values are the keys of the values files that the web-app chart turns into a
// pod. Decoding one file after the other over the same value is how helm
// merges them: later files win, maps are merged, lists replaced.
type values struct {
	Replicas int32 `yaml:"replicas"`
	Deadline int32 `yaml:"progressDeadlineSeconds"`
	Image    struct {
		Repository string `yaml:"repository"`
		// A tag that YAML does not read as a string comes out as helm prints
		// it, and that is not what the file says: 1.10 becomes 1.1.
		Tag any `yaml:"tag"`
	} `yaml:"image"`
	Command []string       `yaml:"command"`
	Env     map[string]any `yaml:"env"`
	EnvFrom struct {
		Secret string   `yaml:"secretRef"`
		Extra  []string `yaml:"extraSecretRefs"`
	} `yaml:"envFrom"`
}

// chartPath is where the chart lies in the repository. Its values are read; its
// templates are not, render stands in for them.
const chartPath = "deploy/charts/web-app"

func (s AppSpec) valuesPath() string { return "deploy/env/" + s.Environment + "/" + s.App + ".yaml" }

func (s AppSpec) layerPath() string {
	return "deploy/env/release-" + s.Environment + "/" + s.App + ".yaml"
}

// render reads the Application's values files at a commit and renders them.
func (r *repository) render(ctx context.Context, spec AppSpec, revision string) (manifests, error) {
	v := values{Deadline: 60}
	v.Image.Repository = "registry.synestra.io/web/app"
	// A chart without values of its own is none that helm would refuse.
	if content, err := r.file(ctx, revision, chartPath+"/values.yaml"); err == nil {
		if err := yaml.Unmarshal(content, &v); err != nil {
			return manifests{}, fmt.Errorf("failed to parse %s/values.yaml: %w", chartPath, err)
		}
	}
	v.Replicas = spec.Replicas
	for _, path := range []string{spec.valuesPath(), spec.layerPath()} {
		content, err := r.file(ctx, revision, path)
		if err != nil {
			return manifests{}, fmt.Errorf("open %s: %w", path, err)
		}
		if err := yaml.Unmarshal(content, &v); err != nil {
			return manifests{}, fmt.Errorf("failed to parse %s: %w", path, err)
		}
	}
	return spec.manifests(v), nil
}

func (s AppSpec) manifests(v values) manifests {
	selector := map[string]string{"app": s.App}
	container := corev1.Container{
		Name:    "web",
		Image:   v.Image.Repository + ":" + helmText(v.Image.Tag),
		Command: v.Command,
	}
	for _, key := range slices.Sorted(maps.Keys(v.Env)) {
		container.Env = append(container.Env, corev1.EnvVar{Name: key, Value: helmText(v.Env[key])})
	}
	for _, secret := range append([]string{v.EnvFrom.Secret}, v.EnvFrom.Extra...) {
		if secret != "" {
			ref := corev1.LocalObjectReference{Name: secret}
			container.EnvFrom = append(container.EnvFrom, corev1.EnvFromSource{SecretRef: &corev1.SecretEnvSource{LocalObjectReference: ref}})
		}
	}
	deployment := &appsv1.Deployment{
		TypeMeta:   metav1.TypeMeta{APIVersion: "apps/v1", Kind: "Deployment"},
		ObjectMeta: s.tracked("apps/Deployment"),
		Spec: appsv1.DeploymentSpec{
			Selector:                &metav1.LabelSelector{MatchLabels: selector},
			ProgressDeadlineSeconds: &v.Deadline,
			Template: corev1.PodTemplateSpec{
				ObjectMeta: metav1.ObjectMeta{Labels: selector},
				Spec:       corev1.PodSpec{Containers: []corev1.Container{container}},
			},
		},
	}
	if !s.Autoscaled {
		deployment.Spec.Replicas = &v.Replicas
	}
	return manifests{deployment, &corev1.Service{
		TypeMeta:   metav1.TypeMeta{APIVersion: "v1", Kind: "Service"},
		ObjectMeta: s.tracked("/Service"),
		Spec:       corev1.ServiceSpec{Selector: selector, Ports: []corev1.ServicePort{{Port: 80, TargetPort: intstr.FromInt32(3000)}}},
	}}
}

// tracked is the metadata of a rendered object with the mark by which Argo CD
// knows it as its own.
func (s AppSpec) tracked(groupKind string) metav1.ObjectMeta {
	meta := metav1.ObjectMeta{Name: s.App, Namespace: s.Name(), Labels: map[string]string{}, Annotations: map[string]string{}}
	if s.AnnotationTracking {
		meta.Annotations[trackingAnnotation] = s.trackingID(groupKind, s.App)
	} else {
		meta.Labels[trackingLabel] = s.Name()
	}
	return meta
}

// The two ways of resource tracking.
const (
	trackingLabel      = "app.kubernetes.io/instance"
	trackingAnnotation = "argocd.argoproj.io/tracking-id"
)

func (s AppSpec) trackingID(groupKind, name string) string {
	return s.Name() + ":" + groupKind + ":" + s.Name() + "/" + name
}

// owns says that Argo CD takes a live object for one of this Application's. A
// copied annotation names the original and so does not make the copy its own;
// a copied label does.
func (s AppSpec) owns(groupKind string, live metav1.Object) bool {
	if s.AnnotationTracking {
		return live.GetAnnotations()[trackingAnnotation] == s.trackingID(groupKind, live.GetName())
	}
	return live.GetLabels()[trackingLabel] == s.Name()
}

// helmText prints a value as a helm template does: numbers pass through JSON
// and are printed as floating point, so 20241101 becomes 2.0241101e+07.
func helmText(v any) string {
	switch v := v.(type) {
	case nil:
		return ""
	case int:
		return fmt.Sprint(float64(v))
	default:
		return fmt.Sprint(v)
	}
}
