package rig

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
)

const (
	namespacePath = "/api/v1/namespaces/argocd"
	argoAPIPath   = "/apis/argoproj.io/v1alpha1"
)

// botPolicy gives the account what the bot needs and no more: to see everything, and to sync dev.
const botPolicy = `p, role:bot, applications, get, */*, allow
p, role:bot, applications, sync, default/web-*-dev, allow
g, bot, role:bot
`

// Tracking is how Argo CD knows the resources that are its own (application.resourceTrackingMethod).
type Tracking string

const (
	TrackByLabel      Tracking = "label"      // the default of Argo CD 2: whatever carries the label is pruned
	TrackByAnnotation Tracking = "annotation" // the default of Argo CD 3: a copy of a resource is not taken for its own
)

// argoCDEnvironment keeps Argo CD's files in the rig's folder and makes it take KUBECONFIG for its own cluster.
func (r *Rig) argoCDEnvironment() []string {
	return []string{
		"ARGOCD_FAKE_IN_CLUSTER=true",
		"ARGOCD_TLS_DATA_PATH=" + r.path("argocd/tls"),
		"ARGOCD_SSH_DATA_PATH=" + r.path("argocd/ssh"),
		"ARGOCD_GPG_ENABLED=false",
		"ARGOCD_GNUPGHOME=" + r.path("argocd/gpg"),
		"ARGOCD_PLUGINSOCKFILEPATH=" + r.path("argocd/plugins"),
		"ARGOCD_ASK_PASS_SOCK=" + r.path("argocd/ask-pass.sock"),
		"HOSTNAME=argocd-application-controller-0", // its shard is the number at the end
	}
}

func (r *Rig) startRedis(ctx context.Context) error {
	_, err := r.start(ctx, "redis", r.redis, []string{
		"--bind", "127.0.0.1", "--port", fmt.Sprint(r.ports["redis"]), "--save", "", "--appendonly", "no",
	}, func(ctx context.Context) error {
		conn, err := new(net.Dialer).DialContext(ctx, "tcp", r.addr("redis"))
		if err != nil {
			return err
		}
		defer conn.Close()
		if _, err := conn.Write([]byte("PING\r\n")); err != nil {
			return err
		}
		answer, err := bufio.NewReader(conn).ReadString('\n')
		if err == nil && answer != "+PONG\r\n" {
			err = fmt.Errorf("redis says %q", answer)
		}
		return err
	})
	return err
}

func (r *Rig) startRepoServer(ctx context.Context) error {
	_, err := r.start(ctx, "argocd-repo-server", r.path("bin/argocd-repo-server"), []string{
		"--address=127.0.0.1", fmt.Sprintf("--port=%d", r.ports["repo-server"]),
		"--metrics-address=127.0.0.1", fmt.Sprintf("--metrics-port=%d", r.ports["repo-server-metrics"]),
		"--redis=" + r.addr("redis"),
	}, answers("http://"+r.addr("repo-server-metrics")+"/healthz"))
	return err
}

// startArgoCD configures Argo CD and starts what needs the cluster. The server comes first: it makes the project.
func (r *Rig) startArgoCD(ctx context.Context) error {
	if err := r.configureArgoCD(ctx); err != nil {
		return fmt.Errorf("configuring Argo CD: %w", err)
	}
	var err error
	if r.server, err = r.start(ctx, "argocd-server", r.path("bin/argocd-server"), []string{
		"--address=127.0.0.1", fmt.Sprintf("--port=%d", r.ports["server"]),
		fmt.Sprintf("--metrics-port=%d", r.ports["server-metrics"]),
		"--insecure", // plain HTTP/2 and HTTP/1.1 on one port
		"--redis=" + r.addr("redis"), "--repo-server=" + r.addr("repo-server"),
	}, r.serverAnswers()); err != nil {
		return err
	}
	return together(ctx, r.startController, r.makeBotToken)
}

func (r *Rig) startController(ctx context.Context) error {
	_, err := r.start(ctx, "argocd-application-controller", r.path("bin/argocd-application-controller"), []string{
		fmt.Sprintf("--metrics-port=%d", r.ports["controller-metrics"]),
		"--redis=" + r.addr("redis"), "--repo-server=" + r.addr("repo-server"),
	}, answers("http://"+r.addr("controller-metrics")+"/healthz"))
	return err
}

// ArgoCDAddr is where argocd-server listens, for gRPC without TLS and for REST: host:port.
func (r *Rig) ArgoCDAddr() string { return r.addr("server") }

// KillArgoCDServer ends argocd-server at once, as a crash does; everything connected to it is cut off.
func (r *Rig) KillArgoCDServer() { r.server.kill() }

// RestartArgoCDServer starts it again at the same address and returns when it answers.
func (r *Rig) RestartArgoCDServer(ctx context.Context) error {
	if err := r.server.start(); err != nil {
		return err
	}
	return r.server.await(ctx, r.serverAnswers())
}

func (r *Rig) serverAnswers() func(context.Context) error {
	return answers("http://" + r.ArgoCDAddr() + "/healthz")
}

// SetTracking changes how Argo CD knows its own resources, for all Applications. What an app has in the cluster keeps
// its old marks until its next sync, and so does a copy of it: for a story that is about tracking, add the app after this.
func (r *Rig) SetTracking(ctx context.Context, tracking Tracking) error {
	return r.Kube.Patch(ctx, namespacePath+"/configmaps/argocd-cm",
		map[string]any{"data": map[string]any{"application.resourceTrackingMethod": tracking}})
}

// CallArgoCD is one request to Argo CD's REST API (path from "/api/v1/…" on) with a token, as people and tools make it.
// A nil body is not sent, a nil into is not filled. Answers other than 2xx are a *StatusError.
func (r *Rig) CallArgoCD(ctx context.Context, token, method, path string, body, into any) error {
	var encoded []byte
	if body != nil {
		var err error
		if encoded, err = json.Marshal(body); err != nil {
			return fmt.Errorf("%s %s: %w", method, path, err)
		}
	}
	answer, err := request(ctx, http.DefaultClient, method, "http://"+r.ArgoCDAddr()+path, token, "application/json", encoded)
	if err == nil && into != nil {
		err = json.Unmarshal(answer, into)
	}
	if err != nil {
		return fmt.Errorf("%s %s: %w", method, path, err)
	}
	return nil
}

// configureArgoCD applies Argo CD's own definitions and settings as they are published, and adds the bot's account.
func (r *Rig) configureArgoCD(ctx context.Context) error {
	for _, kind := range []string{"application", "applicationset", "appproject"} {
		manifest, err := os.ReadFile(filepath.Join(r.source, "manifests/crds", kind+"-crd.yaml"))
		if err != nil {
			return err
		}
		if err := r.Kube.Apply(ctx, "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/"+kind+"s.argoproj.io", manifest); err != nil {
			return err
		}
	}
	if err := r.Kube.Apply(ctx, namespacePath, []byte(`{"apiVersion":"v1","kind":"Namespace","metadata":{"name":"argocd"}}`)); err != nil {
		return err
	}
	if err := r.applySettings(ctx); err != nil {
		return err
	}
	if err := r.Kube.Patch(ctx, namespacePath+"/configmaps/argocd-rbac-cm",
		map[string]any{"data": map[string]any{"policy.csv": botPolicy}}); err != nil {
		return err
	}
	if err := r.Kube.Patch(ctx, namespacePath+"/configmaps/argocd-cm",
		map[string]any{"data": map[string]any{
			"accounts.bot": "apiKey", "url": "http://" + r.ArgoCDAddr(),
			"application.resourceTrackingMethod": TrackByLabel, // whatever the version's default is
		}}); err != nil {
		return err
	}
	return until(ctx, readyTimeout, "Argo CD's definitions to be served", func(ctx context.Context) (bool, error) {
		for _, kind := range []string{"applications", "applicationsets", "appprojects"} {
			if _, err := r.Kube.do(ctx, http.MethodGet, argoAPIPath+"/"+kind, "", nil); err != nil {
				return false, err
			}
		}
		return true, nil
	})
}

// applySettings applies the ConfigMaps and the Secret of a fresh installation, each in a file named after it.
func (r *Rig) applySettings(ctx context.Context) error {
	files, err := filepath.Glob(filepath.Join(r.source, "manifests/base/config/argocd-*.yaml"))
	if err != nil {
		return err
	}
	for _, file := range files {
		manifest, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		collection := "configmaps"
		if bytes.Contains(manifest, []byte("\nkind: Secret\n")) {
			collection = "secrets"
		}
		name := strings.TrimSuffix(filepath.Base(file), ".yaml")
		if err := r.Kube.Apply(ctx, namespacePath+"/"+collection+"/"+name, manifest); err != nil {
			return err
		}
	}
	return nil
}

// makeBotToken signs in as the administrator, with the password that argocd-server made at its first start, and has a
// token made for the account.
func (r *Rig) makeBotToken(ctx context.Context) error {
	var secret struct{ Data struct{ Password []byte } }
	err := until(ctx, readyTimeout, "the first administrator password", func(ctx context.Context) (bool, error) {
		err := r.Kube.Get(ctx, namespacePath+"/secrets/argocd-initial-admin-secret", &secret)
		return len(secret.Data.Password) > 0, err
	})
	if err != nil {
		return err
	}
	var session, made struct{ Token string }
	credentials := map[string]string{"username": "admin", "password": string(secret.Data.Password)}
	if err := r.CallArgoCD(ctx, "", http.MethodPost, "/api/v1/session", credentials, &session); err != nil {
		return fmt.Errorf("signing in: %w", err)
	}
	if err := r.CallArgoCD(ctx, session.Token, http.MethodPost, "/api/v1/account/bot/token", map[string]string{"name": "bot"}, &made); err != nil {
		return fmt.Errorf("making the bot's token: %w", err)
	}
	r.adminToken, r.BotToken = session.Token, made.Token
	return nil
}
