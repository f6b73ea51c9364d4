package argocd

import (
	"context"
	"fmt"
	"net"
	"sync"
	"time"

	"github.com/argoproj/argo-cd/v2/pkg/apiclient/account"
	"github.com/argoproj/argo-cd/v2/pkg/apiclient/application"
	"github.com/argoproj/argo-cd/v2/pkg/apiclient/session"
	"github.com/argoproj/argo-cd/v2/pkg/apiclient/version"
	"github.com/argoproj/argo-cd/v2/pkg/apis/application/v1alpha1"
	"google.golang.org/grpc"
	"google.golang.org/grpc/keepalive"
)

// Server is the stand-in. Its API server can be stopped and started again; the
// controller and the cluster go on meanwhile, as in the field.
type Server struct {
	world *world
	stop  context.CancelFunc
	owned sync.WaitGroup // the controller's loop and whoever serves

	mu   sync.Mutex // guards the two below, while the API server is started or stopped
	addr string
	api  *grpc.Server // nil while stopped
}

// Start serves gRPC without TLS (h2c) on a free port of 127.0.0.1, with no
// Applications yet. Close ends it.
func Start(o Options) (*Server, error) {
	o, err := o.complete()
	if err != nil {
		return nil, err
	}
	ctx, stop := context.WithCancel(context.Background())
	s := &Server{world: newWorld(o), addr: "127.0.0.1:0", stop: stop}
	if err := s.Restart(); err != nil {
		stop()
		return nil, err
	}
	s.owned.Go(func() { s.world.run(ctx) })
	return s, nil
}

// Addr is where it listens, as host:port. It stays the same after a restart.
func (s *Server) Addr() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.addr
}

// Close ends the API server, the controller and the cluster, and waits for them.
func (s *Server) Close() {
	s.Stop()
	s.stop()
	s.owned.Wait()
}

// Stop kills the API server: the listener and every stream and call. It does
// nothing if it is stopped already.
func (s *Server) Stop() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.api != nil {
		s.api.Stop()
		s.api = nil
	}
}

// Restart kills the API server, if it runs, and starts it again on its port.
// Every Application is as it was.
func (s *Server) Restart() error {
	s.Stop()
	s.mu.Lock()
	defer s.mu.Unlock()
	listener, err := net.Listen("tcp", s.addr)
	if err != nil {
		return fmt.Errorf("listening for the stand-in of Argo CD: %w", err)
	}
	s.addr = listener.Addr().String()
	api := newAPI(s.world)
	s.api = api
	s.owned.Go(func() {
		if err := api.Serve(listener); err != nil {
			s.world.options.Log.Error("serving the stand-in of Argo CD", "err", err)
		}
	})
	return nil
}

// maxMessage is the size limit of messages, both ways, in Argo CD.
const maxMessage = 200 << 20

func newAPI(w *world) *grpc.Server {
	api := grpc.NewServer(
		grpc.MaxRecvMsgSize(maxMessage), grpc.MaxSendMsgSize(maxMessage), grpc.WaitForHandlers(true),
		// Clients that ping more often are sent away (ENHANCE_YOUR_CALM), as by a real server.
		grpc.KeepaliveEnforcementPolicy(keepalive.EnforcementPolicy{MinTime: 10 * time.Second}),
		grpc.UnaryInterceptor(w.unary), grpc.StreamInterceptor(w.stream),
	)
	application.RegisterApplicationServiceServer(api, &applicationService{world: w})
	version.RegisterVersionServiceServer(api, &versionService{})
	session.RegisterSessionServiceServer(api, &sessionService{world: w})
	account.RegisterAccountServiceServer(api, &accountService{world: w})
	return api
}

// Behave says how releases with that image tag behave from now on. Pods that
// are ready stay so.
func (s *Server) Behave(tag string, b Behaviour) {
	s.world.mu.Lock()
	defer s.world.mu.Unlock()
	s.world.behaviours[tag] = b
}

// Wait returns when a version of the Application, from the present one on, is
// ok. Every version is looked at, however short its life; ok must not call the
// Server nor change what it is given. The error is the context's.
func (s *Server) Wait(ctx context.Context, application string, ok func(v1alpha1.Application) bool) error {
	_, err := s.world.wait(ctx, application, ok)
	return err
}
