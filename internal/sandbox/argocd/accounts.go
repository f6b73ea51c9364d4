package argocd

import (
	"context"
	"path"

	"github.com/argoproj/argo-cd/v2/pkg/apiclient/account"
	"github.com/argoproj/argo-cd/v2/pkg/apiclient/session"
	"github.com/argoproj/argo-cd/v2/pkg/apiclient/version"
	"google.golang.org/protobuf/types/known/emptypb"
)

type versionService struct {
	version.UnimplementedVersionServiceServer
}

// Version is the version this package stands in for.
func (*versionService) Version(context.Context, *emptypb.Empty) (*version.VersionMessage, error) {
	return &version.VersionMessage{Version: "v2.14.21+sandbox", GoVersion: "go1.26", Platform: "sandbox"}, nil
}

type sessionService struct {
	session.UnimplementedSessionServiceServer
	world *world
}

// GetUserInfo says whose token the call has; without a right one, nobody's.
func (s *sessionService) GetUserInfo(ctx context.Context, _ *session.GetUserInfoRequest) (*session.GetUserInfoResponse, error) {
	if !s.world.authenticated(ctx) {
		return &session.GetUserInfoResponse{}, nil
	}
	return &session.GetUserInfoResponse{LoggedIn: true, Username: s.world.options.Account, Iss: "argocd"}, nil
}

type accountService struct {
	account.UnimplementedAccountServiceServer
	world *world
}

// CanI answers "yes" or "no" to getting and syncing Applications, and "no" to
// everything else.
func (s *accountService) CanI(_ context.Context, q *account.CanIRequest) (*account.CanIResponse, error) {
	name, can := path.Base(q.Subresource), false
	if q.Resource == "applications" {
		switch q.Action {
		case "get":
			can = s.world.maySee(name)
		case "sync":
			can = s.world.maySee(name) && s.world.options.MaySync(name)
		}
	}
	if can {
		return &account.CanIResponse{Value: "yes"}, nil
	}
	return &account.CanIResponse{Value: "no"}, nil
}
