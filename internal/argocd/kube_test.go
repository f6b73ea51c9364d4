package argocd

import (
	"encoding/json"
	"reflect"
	"testing"

	"github.com/synestra/promoter/internal/release"
)

func TestWorkload(t *testing.T) {
	const whole = `{"metadata": {"name": "web", "generation": 4}, "spec": {"replicas": 3, "template": {"spec": {"initContainers": [{"image": "r/init:1"}], "containers": [{"image": "r/web:2"}, {"image": "r/side:1"}]}}},
	 "status": {"observedGeneration": 4, "replicas": 4, "updatedReplicas": 2, "readyReplicas": 3, "availableReplicas": 3, "conditions": [
	  {"type": "Available", "status": "False", "reason": "MinimumReplicasUnavailable"}, {"type": "Progressing", "status": "True", "reason": "ReplicaSetUpdated"}]}}`
	tests := map[string]struct {
		json string
		want release.Workload
	}{
		"rolling": {whole, release.Workload{Generation: 4, Observed: 4, Desired: 3, Updated: 2, Ready: 3, Available: 3, Total: 4, Images: []string{"r/web:2", "r/side:1"}}},
		"no replicas named, nothing observed": {
			`{"metadata": {"generation": 1}, "spec": {"template": {"spec": {"containers": [{"image": "r/web:2"}]}}}}`,
			release.Workload{Generation: 1, Desired: 1, Images: []string{"r/web:2"}},
		},
		"deadline exceeded": {
			`{"metadata": {"generation": 2}, "spec": {"replicas": 0}, "status": {"observedGeneration": 2, "conditions": [{"type": "Progressing", "status": "False", "reason": "ProgressDeadlineExceeded", "message": "timed out"}]}}`,
			release.Workload{Generation: 2, Observed: 2, DeadlineExceeded: true, Message: "timed out"},
		},
		"the deadline was the last spec's": {
			`{"metadata": {"generation": 3}, "spec": {"replicas": 2}, "status": {"observedGeneration": 2, "conditions": [{"type": "Progressing", "status": "False", "reason": "ProgressDeadlineExceeded", "message": "timed out"}]}}`,
			release.Workload{Generation: 3, Observed: 2, Desired: 2},
		},
		"paused, which is not failing": {
			`{"metadata": {"generation": 2}, "spec": {"replicas": 2}, "status": {"observedGeneration": 2, "conditions": [{"type": "Progressing", "status": "Unknown", "reason": "DeploymentPaused"}]}}`,
			release.Workload{Generation: 2, Observed: 2, Desired: 2},
		},
		"clone": {
			`{"metadata": {"name": "web-okteto", "labels": {"dev.okteto.com/clone": "uid"}}, "spec": {"replicas": 1}}`,
			release.Workload{Desired: 1, Clone: true},
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			var w workload
			if err := json.Unmarshal([]byte(test.json), &w); err != nil {
				t.Fatal(err)
			}
			if got := w.release(); !reflect.DeepEqual(got, test.want) {
				t.Errorf("got  %+v\nwant %+v", got, test.want)
			}
		})
	}
}

func TestOktetoMarks(t *testing.T) {
	tests := map[string]struct {
		metadata                string
		replicas                int
		clone, marked, replaced bool
	}{
		"plain":                       {`{"name": "web", "labels": {"app": "web"}}`, 2, false, false, false},
		"plain, scaled to zero":       {`{"name": "web", "labels": {"app": "web"}}`, 0, false, false, false},
		"original, by its label":      {`{"name": "web", "labels": {"dev.okteto.com": "true"}}`, 0, false, true, true},
		"original, by its annotation": {`{"name": "web", "annotations": {"dev.okteto.com/replicas": "2"}}`, 0, false, true, true},
		"original, by its mode":       {`{"name": "web", "annotations": {"dev.okteto.com/dev-mode": "sync"}}`, 0, false, true, true},
		"marks left after a sync":     {`{"name": "web", "labels": {"dev.okteto.com": "true"}, "annotations": {"dev.okteto.com/replicas": "2"}}`, 2, false, true, false},
		"original of before 1.14":     {`{"name": "web", "annotations": {"dev.okteto.com/deployment": "{}"}}`, 1, false, false, true},
		"clone":                       {`{"name": "web-okteto", "labels": {"dev.okteto.com/clone": "u", "app": "web"}, "annotations": {"dev.okteto.com/dev-mode": "sync"}}`, 1, true, false, false},
		"made by Okteto alone":        {`{"name": "web-okteto", "labels": {"dev.okteto.com": "true"}}`, 1, true, false, false},
		"only named like a clone":     {`{"name": "web-okteto"}`, 1, false, false, false},
		"label says no":               {`{"name": "web", "labels": {"dev.okteto.com": "false"}}`, 0, false, false, false},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			var w workload
			if err := json.Unmarshal([]byte(test.metadata), &w.Metadata); err != nil {
				t.Fatal(err)
			}
			w.Spec.Replicas = &test.replicas
			if w.clone() != test.clone || w.marked() != test.marked || w.replaced() != test.replaced {
				t.Errorf("clone %t, marked %t, replaced %t, want %t, %t, %t", w.clone(), w.marked(), w.replaced(), test.clone, test.marked, test.replaced)
			}
		})
	}
}

func TestPodFailure(t *testing.T) {
	tests := map[string]struct {
		pod             string
		overdue         bool
		reason, message string
	}{
		"ready":    {`{"status": {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}], "containerStatuses": [{"name": "web", "state": {"running": {}}}]}}`, true, "", ""},
		"starting": {`{"status": {"phase": "Pending", "conditions": [{"type": "PodScheduled", "status": "True"}], "containerStatuses": [{"name": "web", "state": {"waiting": {"reason": "ContainerCreating"}}}]}}`, false, "", ""},
		"initialising": {
			`{"status": {"phase": "Pending", "containerStatuses": [{"name": "web", "state": {"waiting": {"reason": "PodInitializing"}}}]}}`, false, "", "",
		},
		"crashing": {
			`{"status": {"phase": "Running", "containerStatuses": [{"name": "web", "state": {"waiting": {"reason": "CrashLoopBackOff", "message": "back-off 40s"}}, "lastState": {"terminated": {"exitCode": 137, "reason": "OOMKilled"}}}]}}`,
			false, "CrashLoopBackOff", "back-off 40s; last time: OOMKilled, exit code 137",
		},
		"no image": {
			`{"status": {"phase": "Pending", "containerStatuses": [{"name": "web", "state": {"waiting": {"reason": "ImagePullBackOff", "message": "manifest unknown"}}}]}}`,
			false, "ImagePullBackOff", "manifest unknown",
		},
		"between crash and restart": {
			`{"status": {"phase": "Running", "containerStatuses": [{"name": "web", "state": {"terminated": {"exitCode": 1, "reason": "Error", "message": "no DATABASE_URI"}}}]}}`,
			false, "Error", "container web: Error, exit code 1: no DATABASE_URI",
		},
		"init container before the others": {
			`{"status": {"phase": "Pending", "initContainerStatuses": [{"name": "migrate", "state": {"terminated": {"exitCode": 2}}}], "containerStatuses": [{"name": "web", "state": {"waiting": {"reason": "PodInitializing"}}}]}}`,
			false, "Error", "container migrate: terminated, exit code 2",
		},
		"init container that is done": {
			`{"status": {"phase": "Pending", "initContainerStatuses": [{"name": "migrate", "state": {"terminated": {"exitCode": 0, "reason": "Completed"}}}]}}`, false, "", "",
		},
		"no place": {
			`{"status": {"phase": "Pending", "conditions": [{"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "0/3 nodes"}]}}`,
			false, "Unschedulable", "0/3 nodes",
		},
		"evicted":   {`{"status": {"phase": "Failed", "reason": "Evicted", "message": "low on memory"}}`, false, "Evicted", "low on memory"},
		"not ready": {`{"status": {"phase": "Running", "conditions": [{"type": "Ready", "status": "False", "reason": "ContainersNotReady", "message": "web"}]}}`, false, "", ""},
		"not ready, and overdue": {
			`{"status": {"phase": "Running", "conditions": [{"type": "Ready", "status": "False", "reason": "ContainersNotReady", "message": "web"}]}}`, true, "ContainersNotReady", "web",
		},
		"being deleted": {
			`{"metadata": {"deletionTimestamp": "2026-11-24T07:00:00Z"}, "status": {"phase": "Failed"}}`, true, "", "",
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			var p pod
			if err := json.Unmarshal([]byte(test.pod), &p); err != nil {
				t.Fatal(err)
			}
			if reason, message := p.failure(test.overdue); reason != test.reason || message != test.message {
				t.Errorf("got %q %q, want %q %q", reason, message, test.reason, test.message)
			}
		})
	}
}
