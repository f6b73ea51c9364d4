package argocd

import (
	"encoding/json"
	"fmt"
	"reflect"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/argoproj/argo-cd/v2/pkg/apis/application/v1alpha1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/synestra/promoter/internal/release"
)

// application is an Application as kubectl prints it.
func parse(t testing.TB, text string) *v1alpha1.Application {
	t.Helper()
	var app v1alpha1.Application
	if err := json.Unmarshal([]byte(text), &app); err != nil {
		t.Fatalf("test data: %v", err)
	}
	return &app
}

const (
	commitA = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
	commitB = "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
	commitC = "cccccccccccccccccccccccccccccccccccccccc"
)

// expand writes A, B and C in angle brackets as commits.
var expand = strings.NewReplacer("<A>", commitA, "<B>", commitB, "<C>", commitC)

func TestProjectWhole(t *testing.T) {
	tests := map[string]struct {
		app  string
		want release.Snapshot
	}{
		"new, nothing known": {
			app:  `{"metadata": {"name": "web-x-prod", "uid": "u1", "resourceVersion": "7"}, "spec": {"source": {"repoURL": "https://git/web.git"}}}`,
			want: release.Snapshot{Name: "web-x-prod", Project: "default", UID: "u1", ResourceVersion: 7, HistoryID: -1, Sources: []release.Source{{RepoURL: "https://git/web.git"}}, Paths: []string{""}},
		},
		"single source, deployed": {
			app: `{"metadata": {"name": "web-x-prod", "uid": "u1", "resourceVersion": "120"},
			 "spec": {"project": "shop", "source": {"repoURL": "https://git/web.git", "targetRevision": "main", "path": "charts/web"}, "syncPolicy": {"automated": {}}},
			 "status": {"sync": {"status": "Synced", "revision": "<A>"}, "health": {"status": "Healthy", "message": "fine", "lastTransitionTime": "2026-11-24T08:00:04+01:00"}, "reconciledAt": "2026-11-24T07:00:05Z",
			  "operationState": {"phase": "Succeeded", "message": "successfully synced", "startedAt": "2026-11-24T07:00:01Z", "finishedAt": "2026-11-24T07:00:04Z",
			   "operation": {"sync": {"revision": "<A>"}, "initiatedBy": {"automated": true, "username": "x"}},
			   "syncResult": {"revision": "<A>", "resources": [{"kind": "Service", "name": "x", "status": "Synced"}]}},
			  "history": [{"id": 3, "revision": "<B>"}, {"id": 4, "revision": "<A>"}],
			  "summary": {"images": ["r/x:1", "r/x:2"]},
			  "conditions": [{"type": "SyncError", "message": "m", "lastTransitionTime": "2026-11-24T07:00:09+01:00"}]}}`,
			want: release.Snapshot{
				Name: "web-x-prod", Project: "shop", UID: "u1", ResourceVersion: 120, AutoSync: true,
				Sources:   []release.Source{{RepoURL: "https://git/web.git", TargetRevision: "main"}},
				Paths:     []string{"charts/web"},
				Revisions: []release.Revision{commitA}, Sync: "Synced", Health: "Healthy", HealthMessage: "fine", HealthSince: "2026-11-24T07:00:04Z", ReconciledAt: "2026-11-24T07:00:05Z",
				Operation: &release.SyncOperation{
					Phase: "Succeeded", Message: "successfully synced", StartedAt: "2026-11-24T07:00:01Z", FinishedAt: "2026-11-24T07:00:04Z",
					Requested: []release.Revision{commitA}, Result: []release.Revision{commitA},
				},
				HistoryID:  4,
				History:    []release.Deployment{{ID: 3, Revisions: []release.Revision{commitB}}, {ID: 4, Revisions: []release.Revision{commitA}}},
				Images:     []string{"r/x:1", "r/x:2"},
				Conditions: []release.Condition{{Type: "SyncError", Message: "m", At: "2026-11-24T06:00:09Z"}},
			},
		},
		"several sources, a new sync requested": {
			app: `{"metadata": {"name": "web-x-prod", "uid": "u1", "resourceVersion": "9"},
			 "spec": {"sources": [{"repoURL": "https://git/charts.git", "targetRevision": "1.x"}, {"repoURL": "https://git/web.git", "targetRevision": "main", "ref": "values"}]},
			 "operation": {"sync": {"revisions": ["<C>", "<A>"]}},
			 "status": {"sync": {"status": "OutOfSync", "revisions": ["<C>", "<A>"]}, "health": {"status": "Healthy"},
			  "history": [{"id": 0, "revisions": ["<C>", "<B>"]}]}}`,
			want: release.Snapshot{
				Name: "web-x-prod", Project: "default", UID: "u1", ResourceVersion: 9,
				Sources:   []release.Source{{RepoURL: "https://git/charts.git", TargetRevision: "1.x"}, {RepoURL: "https://git/web.git", TargetRevision: "main"}},
				Paths:     []string{"", ""},
				Revisions: []release.Revision{commitC, commitA}, Sync: "OutOfSync", Health: "Healthy",
				Requested: &release.SyncRequest{Revisions: []release.Revision{commitC, commitA}},
				HistoryID: 0, History: []release.Deployment{{ID: 0, Revisions: []release.Revision{commitC, commitB}}},
			},
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			got := project(parse(t, expand.Replace(test.app)))
			if !reflect.DeepEqual(got, test.want) {
				t.Errorf("got\n%s\nwant\n%s", text(got), text(test.want))
			}
		})
	}
}

func text(v any) string {
	b, _ := json.MarshalIndent(v, "", " ")
	return string(b)
}

func TestProjectParts(t *testing.T) {
	op := func(state string) string {
		return `{"status": {"operationState": {"startedAt": "2026-11-24T07:00:01Z", ` + state + `}}}`
	}
	tests := map[string]struct {
		app  string
		part func(release.Snapshot) any
		want any
	}{
		"being deleted": {
			`{"metadata": {"deletionTimestamp": "2026-11-24T07:00:00Z"}}`,
			func(s release.Snapshot) any { return s.Deleted }, true,
		},
		"unreadable version": {
			`{"metadata": {"resourceVersion": "x"}}`,
			func(s release.Snapshot) any { return s.ResourceVersion }, int64(0),
		},
		"sync policy without automated": {
			`{"spec": {"syncPolicy": {"syncOptions": ["CreateNamespace=true"]}}}`,
			func(s release.Snapshot) any { return s.AutoSync }, false,
		},
		"one item in spec.sources": {
			`{"spec": {"sources": [{"repoURL": "u"}]}, "status": {"sync": {"revisions": ["<A>"]}}}`,
			func(s release.Snapshot) any { return s.Revisions },
			[]release.Revision{commitA},
		},
		"a source not resolved yet keeps the others in place": {
			`{"status": {"sync": {"revisions": ["", "<A>"]}}}`,
			func(s release.Snapshot) any { return s.Revisions },
			[]release.Revision{"", commitA},
		},
		"hydrated source": {
			`{"spec": {"sourceHydrator": {"drySource": {"repoURL": "u", "targetRevision": "main", "path": "p"}, "syncSource": {"targetBranch": "env/prod", "path": "p"}}}}`,
			func(s release.Snapshot) any { return s.Sources },
			[]release.Source{{RepoURL: "u", TargetRevision: "env/prod"}},
		},
		"requested without a sync": {
			`{"operation": {}}`,
			func(s release.Snapshot) any { return s.Requested }, &release.SyncRequest{},
		},
		"no operation": {
			`{}`,
			func(s release.Snapshot) any { return s.Operation }, (*release.SyncOperation)(nil),
		},
		"between two attempts": {
			op(`"phase": "Running", "finishedAt": "2026-11-24T07:00:04Z", "retryCount": 2, "message": "Retrying attempt #2", "operation": {"sync": {"revisions": ["<C>", "<A>"]}}`),
			func(s release.Snapshot) any { return *s.Operation },
			release.SyncOperation{Phase: "Running", Message: "Retrying attempt #2", StartedAt: "2026-11-24T07:00:01Z", FinishedAt: "2026-11-24T07:00:04Z", RetryCount: 2, Requested: []release.Revision{commitC, commitA}},
		},
		"several sources applied": {
			op(`"phase": "Succeeded", "operation": {"sync": {"revisions": ["<C>", "<B>"]}}, "syncResult": {"revision": "", "revisions": ["<C>", "<A>"]}`),
			func(s release.Snapshot) any { return s.Operation.Result },
			[]release.Revision{commitC, commitA},
		},
		"dry run": {
			op(`"phase": "Succeeded", "operation": {"sync": {"dryRun": true}}`),
			func(s release.Snapshot) any { return s.Operation.DryRun }, true,
		},
		"started by a person": {
			op(`"phase": "Running", "operation": {"initiatedBy": {"username": "ann"}}`),
			func(s release.Snapshot) any { return s.Operation.By }, "ann",
		},
		"hooks that run, and plain resources that are waited for": {
			op(`"phase": "Running", "operation": {}, "syncResult": {"revision": "<A>", "resources": [
			 {"kind": "Job", "name": "migrate", "hookType": "PreSync", "hookPhase": "Running"}, {"kind": "Job", "name": "seed", "hookType": "PreSync", "hookPhase": "Succeeded"},
			 {"kind": "Deployment", "name": "x", "status": "Synced", "hookPhase": "Running"}]}`),
			func(s release.Snapshot) any { return s.Operation.Hooks },
			[]string{"migrate"},
		},
		"resources and hooks that failed": {
			op(`"phase": "Failed", "operation": {}, "syncResult": {"revision": "<A>", "resources": [null,
			 {"kind": "Service", "namespace": "n", "name": "x", "status": "SyncFailed", "message": "spec.ports: Required value"}, {"kind": "Deployment", "name": "x", "status": "Synced", "hookPhase": "Failed"},
			 {"kind": "Job", "name": "migrate", "hookType": "PreSync", "hookPhase": "Error", "message": "exit 1"}]}`),
			func(s release.Snapshot) any { return s.Operation.Failed },
			[]release.Resource{{Kind: "Service", Namespace: "n", Name: "x", Status: "SyncFailed", Message: "spec.ports: Required value"}, {Kind: "Job", Name: "migrate", Status: "Error", Message: "exit 1"}},
		},
		"a sync that found everything as it was to be": {
			op(`"phase": "Succeeded", "operation": {}, "syncResult": {"revision": "<A>", "resources": [
			 {"kind": "Service", "name": "x", "status": "Synced", "message": "service/x unchanged"}, {"kind": "Deployment", "name": "x", "status": "Synced", "message": "deployment.apps/x unchanged"}]}`),
			func(s release.Snapshot) any { return s.Operation.Unchanged }, true,
		},
		"a sync that changed something": {
			op(`"phase": "Succeeded", "operation": {}, "syncResult": {"revision": "<A>", "resources": [
			 {"kind": "Service", "name": "x", "status": "Synced", "message": "service/x unchanged"}, {"kind": "Deployment", "name": "x", "status": "Synced", "message": "deployment.apps/x configured"}]}`),
			func(s release.Snapshot) any { return s.Operation.Unchanged }, false,
		},
		"a sync of nothing": {
			op(`"phase": "Succeeded", "operation": {}, "syncResult": {"revision": "<A>"}`),
			func(s release.Snapshot) any { return s.Operation.Unchanged }, false,
		},
		"history is cut, its newest id kept": {
			`{"status": {"history": [{"id": 1}, {"id": 2}, {"id": 3, "deployStartedAt": "2026-11-24T07:00:01Z", "initiatedBy": {"username": "ana"}}, {"id": 4, "initiatedBy": {"automated": true, "username": "x"}}, {"id": 5}, {"id": 6}, {"id": 7}]}}`,
			func(s release.Snapshot) any { return fmt.Sprint(s.HistoryID, s.History) }, "7 [{3 2026-11-24T07:00:01Z [] ana} {4  [] } {5  [] } {6  [] } {7  [] }]",
		},
		"resources: workloads, and what is not as it should be": {
			`{"status": {"resources": [
			 {"kind": "Service", "name": "fine", "status": "Synced", "health": {"status": "Healthy"}}, {"kind": "ConfigMap", "name": "fine too", "status": "Synced"},
			 {"group": "apps", "kind": "Deployment", "namespace": "n", "name": "x", "status": "Synced", "health": {"status": "Healthy"}},
			 {"group": "apps", "kind": "Deployment", "name": "x-okteto", "status": "OutOfSync", "requiresPruning": true},
			 {"group": "apps", "kind": "Deployment", "name": "y-okteto", "health": {"status": "Degraded", "message": "bad"}},
			 {"kind": "Secret", "name": "s", "status": "OutOfSync"}, {"kind": "Ingress", "name": "i", "status": "Synced", "health": {"status": "Progressing"}}]}}`,
			func(s release.Snapshot) any { return s.Resources },
			[]release.Resource{
				{Kind: "Deployment", Namespace: "n", Name: "x", Status: "Synced", Health: "Healthy"},
				{Kind: "Deployment", Name: "x-okteto", Status: "OutOfSync", RequiresPruning: true},
				{Kind: "Deployment", Name: "y-okteto", Health: "Degraded", Message: "bad"},
				{Kind: "Secret", Name: "s", Status: "OutOfSync"},
				{Kind: "Ingress", Name: "i", Status: "Synced", Health: "Progressing"},
			},
		},
		"long message, cut between letters": {
			`{"status": {"conditions": [{"type": "ComparisonError", "message": "a` + strings.Repeat("ж", 600) + `"}]}}`,
			func(s release.Snapshot) any { return s.Conditions[0].Message }, "a" + strings.Repeat("ж", 499) + "…",
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			if got := test.part(project(parse(t, expand.Replace(test.app)))); !reflect.DeepEqual(got, test.want) {
				t.Errorf("got  %s\nwant %s", text(got), text(test.want))
			}
		})
	}
}

// What is kept of an Application decides how many fit into memory.
func TestProjectionIsSmall(t *testing.T) {
	const count, limit = 2000, 4096
	message, err := json.Marshal(big(t))
	if err != nil {
		t.Fatal(err)
	}
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	kept := make([]release.Snapshot, 0, count)
	for i := range count {
		if i%100 == 0 {
			runtime.GC()
		}
		kept = append(kept, project(parse(t, string(message))))
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	each := (int64(after.HeapAlloc) - int64(before.HeapAlloc)) / count
	t.Logf("an Application of %d bytes of JSON is kept in %d bytes", len(message), each)
	if each > limit {
		t.Errorf("a snapshot takes %d bytes, limit %d", each, limit)
	}
	runtime.KeepAlive(kept)
}

// big is an Application as the field has them: 30 resources, 10 deployments.
func big(t testing.TB) *v1alpha1.Application {
	app := parse(t, expand.Replace(`{"metadata": {"name": "web-synestra-io-prod", "uid": "0d6f8f0e-8a52-4b61-9a6e-1d7a7f0f3f11", "resourceVersion": "123456", "annotations": {"a": "`+strings.Repeat("x", 4000)+`"}},
	 "spec": {"project": "shop", "source": {"repoURL": "https://github.com/synestra/web-core.git", "targetRevision": "main", "path": "deploy/charts/web-app"}, "syncPolicy": {"automated": {}}},
	 "status": {"sync": {"status": "Synced", "revision": "<A>"}, "health": {"status": "Healthy"}, "reconciledAt": "2026-11-24T07:00:05Z",
	  "operationState": {"phase": "Succeeded", "message": "successfully synced (all tasks run)", "startedAt": "2026-11-24T07:00:01Z", "finishedAt": "2026-11-24T07:00:04Z",
	   "operation": {"sync": {"revision": "<A>"}}, "syncResult": {"revision": "<A>"}},
	  "summary": {"images": ["registry.synestra.io/web/synestra-io:sha-0000001"]}}}`))
	for i := range 30 {
		name := fmt.Sprintf("resource-%d", i)
		app.Status.Resources = append(app.Status.Resources, v1alpha1.ResourceStatus{Kind: "ConfigMap", Namespace: "web-synestra-io-prod", Name: name, Status: "Synced"})
		app.Status.OperationState.SyncResult.Resources = append(app.Status.OperationState.SyncResult.Resources, &v1alpha1.ResourceResult{Kind: "ConfigMap", Name: name, Status: "Synced", Message: "configmap/" + name + " unchanged"})
	}
	for i := range 10 {
		app.Status.History = append(app.Status.History, v1alpha1.RevisionHistory{ID: int64(i), Revision: commitA, Source: *app.Spec.Source})
	}
	return app
}

func TestTimestampIsUTC(t *testing.T) {
	at := metav1.NewTime(time.Date(2026, 11, 24, 8, 0, 9, 999, time.FixedZone("", 3600)))
	if got := timestamp(&at); got != "2026-11-24T07:00:09Z" {
		t.Error(got)
	}
	if got := timestamp(&metav1.Time{}) + timestamp(nil); got != "" {
		t.Errorf("no time is %q", got)
	}
}
