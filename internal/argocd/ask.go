package argocd

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/argoproj/argo-cd/v2/pkg/apiclient/application"
	"github.com/argoproj/argo-cd/v2/pkg/apis/application/v1alpha1"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/synestra/promoter/internal/release"
)

// Application asks for an Application now. The answer is the Kubernetes API's,
// not a cache's. The error is [release.ErrNotVisible] if there is none for us.
func (c *Client) Application(ctx context.Context, name string) (release.Snapshot, error) {
	return c.look(ctx, name, "")
}

// Refresh has Argo CD compare an Application with Git now, and waits until it
// has; hard drops the cached manifests too. An error does not say that it will
// not be refreshed, only that the controller did not answer in time.
func (c *Client) Refresh(ctx context.Context, name string, hard bool) (release.Snapshot, error) {
	kind := v1alpha1.RefreshTypeNormal
	if hard {
		kind = v1alpha1.RefreshTypeHard
	}
	return c.look(ctx, name, kind)
}

func (c *Client) look(ctx context.Context, name string, refresh v1alpha1.RefreshType) (release.Snapshot, error) {
	app, err := c.get(ctx, name, refresh)
	switch {
	case err == nil:
	case refresh == "":
		return release.Snapshot{}, fmt.Errorf("reading Application %s: %w", name, explain(err, name))
	case ctx.Err() == nil && strings.Contains(err.Error(), "deadline exceeded"): // by us, or by the server
		return release.Snapshot{}, fmt.Errorf("refreshing Application %s: no answer within %s, is argocd-application-controller running? %w", name, c.pace.refresh, err)
	default:
		return release.Snapshot{}, fmt.Errorf("refreshing Application %s: %w", name, explain(err, name))
	}
	s := project(app)
	if c.interests(app) {
		c.learnTruth(s)
	}
	return s, nil
}

func (c *Client) get(ctx context.Context, name string, refresh v1alpha1.RefreshType) (*v1alpha1.Application, error) {
	query := &application.ApplicationQuery{Name: &name}
	if project := c.projectOf(name); project != nil {
		query.Project = []string{*project}
	}
	timeout := c.pace.call
	if refresh != "" {
		query.Refresh = (*string)(&refresh)
		timeout = c.pace.refresh
	}
	ctx, stop := context.WithTimeout(ctx, timeout)
	defer stop()
	return c.apps.Get(ctx, query)
}

// infoOperation is the name under which Argo CD keeps our operation's id.
const infoOperation = "operation"

// syncTries bounds how often a sync is asked for whose answer was lost.
const syncTries = 3

// Sync asks for a sync, and does not wait for it. It may be called again with
// the same operation id: where the queued, the running or the last sync of the
// Application already carries that id, nothing is asked for. The error is
// [release.ErrBusy] while another operation runs, [release.ErrDenied] or
// [release.ErrNotVisible] where rights are missing.
func (c *Client) Sync(ctx context.Context, name string, ask release.SyncAsk) error {
	var failed error
	for range syncTries {
		app, err := c.get(ctx, name, "")
		switch {
		case err != nil:
			return fmt.Errorf("syncing Application %s: %w", name, explain(err, name))
		case carries(app, ask.Operation):
			return nil
		case errors.Is(failed, release.ErrBusy): // and it is not our own that runs
			return fmt.Errorf("syncing Application %s: %w", name, failed)
		}
		if err = c.request(ctx, app, ask); err == nil {
			return nil
		}
		failed = explainSync(err, app.Spec.GetProject(), name)
		if !lost(err) && !errors.Is(failed, release.ErrBusy) {
			break
		}
	}
	return fmt.Errorf("syncing Application %s: %w", name, failed)
}

func (c *Client) request(ctx context.Context, app *v1alpha1.Application, ask release.SyncAsk) error {
	ctx, stop := context.WithTimeout(ctx, c.pace.call)
	defer stop()
	_, err := c.apps.Sync(ctx, &application.ApplicationSyncRequest{
		Name: &app.Name, Project: new(app.Spec.GetProject()), Prune: &ask.Prune,
		Infos: []*v1alpha1.Info{{Name: infoOperation, Value: ask.Operation}, {Name: "requested by", Value: ask.By}},
	})
	return err
}

// lost says that a request may have arrived although it failed.
func lost(err error) bool {
	switch status.Code(err) {
	case codes.Unavailable, codes.DeadlineExceeded, codes.Internal, codes.Unknown:
		return true
	}
	return false
}

// carries says that an Application's queued, running or last sync was asked for
// by the operation.
func carries(app *v1alpha1.Application, operation string) bool {
	var infos []*v1alpha1.Info
	if app.Operation != nil {
		infos = append(infos, app.Operation.Info...)
	}
	if app.Status.OperationState != nil {
		infos = append(infos, app.Status.OperationState.Operation.Info...)
	}
	return slices.ContainsFunc(infos, func(i *v1alpha1.Info) bool {
		return i != nil && i.Name == infoOperation && i.Value == operation
	})
}
