package argocd

import (
	"context"
	"strings"
	"time"

	"github.com/argoproj/argo-cd/v2/pkg/apis/application/v1alpha1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/uuid"
)

// instance is one Application, what the controller keeps of it, and the
// namespace it deploys to.
type instance struct {
	spec     AppSpec
	object   *v1alpha1.Application // the newest version; replaced, never changed
	previous *v1alpha1.Application // the version before it, nil if there is none
	cluster  *namespace

	due      bool      // a comparison with Git is asked for
	compared time.Time // when it was last compared with Git, by the real clock
	acted    int64     // the tick in which the sync was last worked on
	hooked   int       // paces the sync's hook has run
	syncs    []string  // who started each sync

	tree     *v1alpha1.ApplicationTree // as the controller cached it
	regrown  chan struct{}             // closed when there is a new tree
	managed  []*v1alpha1.ResourceDiff  // of the last comparison
	rendered rendering
}

// rendering is what was rendered last, and from which commit.
type rendering struct {
	revision string
	want     manifests
}

const controlPlane = "argocd" // the namespace of the Applications

func isDev(application string) bool { return strings.HasSuffix(application, "-dev") }

func newApplication(spec AppSpec, url, branch string, now metav1.Time) *v1alpha1.Application {
	a := &v1alpha1.Application{
		TypeMeta: metav1.TypeMeta{APIVersion: "argoproj.io/v1alpha1", Kind: "Application"},
		ObjectMeta: metav1.ObjectMeta{
			Name: spec.Name(), Namespace: controlPlane, UID: uuid.NewUUID(), CreationTimestamp: now, Generation: 1,
			Labels: map[string]string{"app": spec.App, "env": spec.Environment},
		},
		Spec: v1alpha1.ApplicationSpec{
			Project:     spec.Project,
			Destination: v1alpha1.ApplicationDestination{Server: "https://kubernetes.default.svc", Namespace: spec.Name()},
			SyncPolicy:  &v1alpha1.SyncPolicy{SyncOptions: v1alpha1.SyncOptions{"CreateNamespace=true"}},
		},
	}
	if spec.AutoSync {
		a.Spec.SyncPolicy.Automated = &v1alpha1.SyncPolicyAutomated{Prune: true, SelfHeal: spec.SelfHeal}
	}
	source := v1alpha1.ApplicationSource{RepoURL: url, TargetRevision: branch, Path: chartPath}
	root := "../../../" // of the repository, from the chart
	if spec.MultiSource {
		root = "$values/"
	}
	source.Helm = &v1alpha1.ApplicationSourceHelm{
		ReleaseName: spec.App,
		ValueFiles:  []string{root + spec.valuesPath(), root + spec.layerPath()},
	}
	if spec.MultiSource {
		a.Spec.Sources = v1alpha1.ApplicationSources{source, {RepoURL: url, TargetRevision: branch, Ref: "values"}}
	} else {
		a.Spec.Source = &source
	}
	return a
}

// render is what the Application's files at the revision say. Where they
// cannot be read it is the error of the repo-server.
func (w *world) render(ctx context.Context, a *instance, revision string) (*manifests, error) {
	if a.rendered.revision != revision {
		want, err := w.repo.render(ctx, a.spec, revision)
		if err != nil {
			return nil, err
		}
		a.rendered = rendering{revision, want}
	}
	return &a.rendered.want, nil
}

// revisionsOf writes one commit of our repository as Argo CD does: revision for
// one source, revisions for several, with the other empty. Both sources of a
// multi-source Application are this repository.
func (s AppSpec) revisionsOf(commit string) (revision string, revisions []string) {
	switch {
	case !s.MultiSource:
		return commit, nil
	case commit == "":
		return "", nil
	}
	return "", []string{commit, commit}
}

// commitOf is the commit of a revision or revisions written by revisionsOf.
func commitOf(revision string, revisions []string) string {
	if len(revisions) > 0 {
		return revisions[0]
	}
	return revision
}
