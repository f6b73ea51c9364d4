package argocd

import (
	"fmt"
	"strings"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/synestra/promoter/internal/release"
)

// explain adds to an error of a call about an Application what can be done.
func explain(err error, name string) error {
	switch s := status.Convert(err); s.Code() {
	case codes.NotFound: // only said where we may see the project's Applications
		return fmt.Errorf("%w: Application %s (Argo CD says: %s)", release.ErrNotVisible, name, s.Message())
	case codes.PermissionDenied:
		return fmt.Errorf("%w: Application %s; the account needs the RBAC line `p, <role>, applications, get, <project>/%s, allow` (Argo CD says: %s)",
			release.ErrNotVisible, name, name, s.Message())
	case codes.Unauthenticated:
		return fmt.Errorf("argo cd does not accept the token: %w", err)
	default:
		return err
	}
}

// explainList is explain for calls about all Applications.
func explainList(err error) error {
	switch status.Code(err) {
	case codes.PermissionDenied:
		return fmt.Errorf("the account may not list Applications, it needs the RBAC line `p, <role>, applications, get, <project>/*, allow`: %w", err)
	case codes.Unauthenticated:
		return fmt.Errorf("argo cd does not accept the token: %w", err)
	default:
		return err
	}
}

// refused says that asking again soon would not help.
func refused(err error) bool {
	code := status.Code(err)
	return code == codes.Unauthenticated || code == codes.PermissionDenied
}

// busy is how Argo CD words it (ErrAnotherOperationInProgress of its
// util/argo). The code alone also stands for other reasons not to sync.
const busy = "another operation is already in progress"

// explainSync is explain for a sync of an Application that can be seen.
func explainSync(err error, project, name string) error {
	s := status.Convert(err)
	switch {
	case s.Code() == codes.FailedPrecondition && strings.Contains(s.Message(), busy):
		return release.ErrBusy
	case s.Code() == codes.PermissionDenied && strings.Contains(s.Message(), "sync window"):
		return fmt.Errorf("%w: a sync window of project %s is in the way (Argo CD says: %s)", release.ErrDenied, project, s.Message())
	case s.Code() == codes.PermissionDenied:
		return fmt.Errorf("%w: the account needs the RBAC line `p, <role>, applications, sync, %s/%s, allow` (Argo CD says: %s)",
			release.ErrDenied, project, name, s.Message())
	default:
		return explain(err, name)
	}
}
