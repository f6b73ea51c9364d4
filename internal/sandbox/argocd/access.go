package argocd

import (
	"context"
	"path"
	"strings"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
)

// public are the services that answer without a token: the version, and the
// question who one is.
func public(method string) bool {
	return strings.HasPrefix(method, "/version.") || strings.HasPrefix(method, "/session.")
}

// admit lets a call in: its token must be right, and no fault be meant for it.
func (w *world) admit(ctx context.Context, method string) error {
	if !public(method) && !w.authenticated(ctx) {
		return status.Error(codes.Unauthenticated, "invalid session: token signature is invalid")
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.faults.fail(path.Base(method))
}

func (w *world) unary(ctx context.Context, req any, info *grpc.UnaryServerInfo, next grpc.UnaryHandler) (any, error) {
	if err := w.admit(ctx, info.FullMethod); err != nil {
		return nil, err
	}
	return next(ctx, req)
}

func (w *world) stream(srv any, stream grpc.ServerStream, info *grpc.StreamServerInfo, next grpc.StreamHandler) error {
	if err := w.admit(stream.Context(), info.FullMethod); err != nil {
		return err
	}
	return next(srv, stream)
}

// authenticated looks for the token where Argo CD does: in the metadata key
// "token", or as a bearer in "authorization".
func (w *world) authenticated(ctx context.Context) bool {
	w.mu.Lock()
	want := w.options.Token
	w.mu.Unlock()
	md, _ := metadata.FromIncomingContext(ctx)
	given := append(md.Get("token"), "")[0]
	if given == "" {
		given, _ = strings.CutPrefix(append(md.Get("authorization"), "")[0], "Bearer ")
	}
	return want == "" || given == want
}

// SetToken changes the token that is let in, as a rotation does. Streams that
// are open stay open.
func (s *Server) SetToken(token string) {
	s.world.mu.Lock()
	defer s.world.mu.Unlock()
	s.world.options.Token = token
}

// denied is how Argo CD answers where it will not even say whether there is
// such an Application.
func denied() error { return status.Error(codes.PermissionDenied, "permission denied") }

// visible runs do, under the lock, on an Application that the account may see.
// Who names no project is not told a missing one from a forbidden one; who
// names a project hears of a missing one.
func (w *world) visible(project, name string, do func(*instance) error) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	a := w.named(name)
	switch {
	case w.faults.forbidden[name]:
		return denied()
	case a != nil && (project == "" || project == a.spec.Project):
		return do(a)
	case project == "":
		return denied()
	}
	return status.Errorf(codes.NotFound, "applications.argoproj.io %q not found", name)
}

func (w *world) maySee(name string) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return !w.faults.forbidden[name]
}

// maySync is the error where the account may not sync the Application.
func (w *world) maySync(a *instance) error {
	if w.options.MaySync(a.spec.Name()) {
		return nil
	}
	return status.Errorf(codes.PermissionDenied, "permission denied: applications, sync, %s/%s, sub: %s", a.spec.Project, a.spec.Name(), w.options.Account)
}
