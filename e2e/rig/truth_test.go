package rig

import (
	"encoding/json"
	"testing"
)

const (
	provenApplication = `{"status": {"sync": {"status": "Synced"}, "health": {"status": "Healthy"}, "operationState": {"phase": "Succeeded"}}}`
	provenDeployment  = `{"metadata": {"generation": 3},
		"spec": {"replicas": 2, "template": {"spec": {"containers": [{"image": "registry.synestra.io/web/shop:sha-2"}]}}},
		"status": {"observedGeneration": 3, "replicas": 2, "updatedReplicas": 2, "availableReplicas": 2}}`
)

// Each row takes one part of the proof away.
func TestOneLookProvesOnlyTheWhole(t *testing.T) {
	for _, row := range []struct {
		name                    string
		application, deployment string // merged over what proves
		want                    bool
	}{
		{"everything", `{}`, `{}`, true},
		{"no operation yet", `{"status": {"operationState": null}}`, `{}`, false},
		{"the operation runs", `{"status": {"operationState": {"phase": "Running"}}}`, `{}`, false},
		{"out of sync", `{"status": {"sync": {"status": "OutOfSync"}}}`, `{}`, false},
		{"progressing", `{"status": {"health": {"status": "Progressing"}}}`, `{}`, false},
		{"the controller has not seen the new template", `{}`, `{"metadata": {"generation": 4}}`, false},
		{"one pod is old", `{}`, `{"status": {"updatedReplicas": 1}}`, false},
		{"one pod is not available", `{}`, `{"status": {"availableReplicas": 1}}`, false},
		{"one pod too many", `{}`, `{"status": {"replicas": 3}}`, false},
		{"the old tag", `{}`, `{"spec": {"template": {"spec": {"containers": [{"image": "registry.synestra.io/web/shop:sha-1"}]}}}}`, false},
		{"another image", `{}`, `{"spec": {"template": {"spec": {"containers": [{"image": "redis:sha-2"}]}}}}`, false},
	} {
		var seen look
		var deployment Deployment
		for _, layer := range []struct {
			text string
			into any
		}{{provenApplication, &seen.application}, {row.application, &seen.application}, {provenDeployment, &deployment}, {row.deployment, &deployment}} {
			if err := json.Unmarshal([]byte(layer.text), layer.into); err != nil {
				t.Fatal(row.name, err)
			}
		}
		seen.deployments = map[string]Deployment{"shop": deployment}
		if got := seen.shows("registry.synestra.io/web/shop", "sha-2"); got != row.want {
			t.Errorf("%s: %v, want %v", row.name, got, row.want)
		}
	}
}

func TestNoDeploymentProvesNothing(t *testing.T) {
	var seen look
	if err := json.Unmarshal([]byte(provenApplication), &seen.application); err != nil {
		t.Fatal(err)
	}
	if seen.shows("registry.synestra.io/web/shop", "sha-2") {
		t.Error("proven without a Deployment")
	}
}
