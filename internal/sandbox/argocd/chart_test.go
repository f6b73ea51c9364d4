package argocd

import (
	"slices"
	"testing"

	corev1 "k8s.io/api/core/v1"
)

// A tag that YAML reads as a number runs as something else than the file says.
func TestTagThatIsNoStringIsPrintedAsHelmDoes(t *testing.T) {
	b := newBench(t, Options{})
	for typed, want := range map[string]string{
		`1.10`: "1.1", `"1.10"`: "1.10", `20241101`: "2.0241101e+07", `v1`: "v1", `sha-0e1`: "sha-0e1", `true`: "true", `~`: "",
	} {
		b.write("deploy/env/release-dev/shop.yaml", "image: {repository: registry.test/web/shop, tag: "+typed+"}\n")
		b.push("type a tag")
		got, err := b.server.world.repo.render(b.context(), dev("shop"), b.head)
		if err != nil {
			t.Fatal(err)
		}
		if image := got.deployment.Spec.Template.Spec.Containers[0].Image; image != "registry.test/web/shop:"+want {
			t.Errorf("tag: %s runs %q, want tag %q", typed, image, want)
		}
	}
}

func TestValuesFilesAreMerged(t *testing.T) {
	b := newBench(t, Options{})
	b.write("deploy/env/dev/shop.yaml", `
replicas: 5
command: ["next", "dev"]
env: {A: 1, B: two}
envFrom: {secretRef: one, extraSecretRefs: [two]}
`)
	b.write("deploy/env/release-dev/shop.yaml", "image: {tag: v3}\ncommand: [serve]\nenv: {B: three}\n")
	b.push("merge")
	spec := dev("shop")
	spec.Replicas = 2
	got, err := b.server.world.repo.render(b.context(), spec, b.head)
	if err != nil {
		t.Fatal(err)
	}
	c := got.deployment.Spec.Template.Spec.Containers[0]
	if *got.deployment.Spec.Replicas != 5 || c.Image != "registry.synestra.io/web/app:v3" || !slices.Equal(c.Command, []string{"serve"}) {
		t.Errorf("%d replicas of %s, %q", *got.deployment.Spec.Replicas, c.Image, c.Command)
	}
	if want := []corev1.EnvVar{{Name: "A", Value: "1"}, {Name: "B", Value: "three"}}; !slices.Equal(c.Env, want) {
		t.Errorf("env %v, want %v", c.Env, want)
	}
	if len(c.EnvFrom) != 2 || c.EnvFrom[0].SecretRef.Name != "one" || c.EnvFrom[1].SecretRef.Name != "two" {
		t.Errorf("env from %v", c.EnvFrom)
	}
	if _, err := b.server.world.repo.render(b.context(), dev("none"), b.head); err == nil {
		t.Error("an app without files is rendered")
	}
}
