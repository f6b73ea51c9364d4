// Package rig is a real Kubernetes control plane, a real Argo CD and a Git host on loopback, for end-to-end tests.
//
// etcd, kube-apiserver, kube-controller-manager, kube-scheduler, kwok (a kubelet that only pretends), redis, and Argo CD's
// repo-server, server and application-controller run as children of the test, with all their state in one temporary
// folder. One start serves every scenario: they are kept apart by the names of their apps. Linux only.
package rig

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/synestra/promoter/e2e/tools"
	"github.com/synestra/promoter/e2e/webcore"
	"github.com/synestra/promoter/internal/sandbox/githost"
)

// Rig is a running range.
type Rig struct {
	Kube     *Kube         // the cluster, as an administrator
	WebCore  *webcore.Repo // the GitOps repository
	Git      *githost.Host // its host, with faults on demand
	GitToken string        // what a push needs
	BotToken string        // Argo CD's token of the account "bot": it may see all Applications and sync web-*-dev

	dir        string
	adminToken string // Argo CD's token of the administrator, for what people do
	version    tools.ArgoCD
	programs   tools.Programs
	source     string // the folder of Argo CD's source: manifests, catalog of notifications
	redis      string // the path of redis-server
	ports      map[string]int
	server     *process // argocd-server, which scenarios kill

	mu        sync.Mutex
	processes []*process
}

// Start builds nothing: it needs the programs that tools.Build leaves. Which Argo CD it runs, the environment chooses
// (tools.ArgoCDVersion). It tells what it does in lines to log. The caller closes the Rig, whose children do not survive
// ctx's program in any case.
func Start(ctx context.Context, log io.Writer) (*Rig, error) {
	began := time.Now()
	r, err := prepare(ctx)
	if err != nil {
		return nil, fmt.Errorf("preparing the range: %w", err)
	}
	err = together(ctx, r.startGit, r.startControlPlane, r.startRedis, r.startRepoServer)
	if err == nil {
		fmt.Fprintf(log, "range: Kubernetes and Git after %.1f s\n", time.Since(began).Seconds())
		err = r.startArgoCD(ctx)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("starting the range: %w", err), r.Close())
	}
	fmt.Fprintf(log, "range: Argo CD %s after %.1f s\n", r.version, time.Since(began).Seconds())
	return r, nil
}

// Close kills every child and removes the folder.
func (r *Rig) Close() error {
	var wg sync.WaitGroup
	for _, p := range r.processes {
		wg.Go(p.kill)
	}
	wg.Wait()
	var stopped error
	if r.Git != nil {
		stopped = r.Git.Close()
	}
	return errors.Join(stopped, os.RemoveAll(r.dir))
}

// DumpLogs writes the last lines of every child's log to w.
func (r *Rig) DumpLogs(w io.Writer) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, p := range r.processes {
		fmt.Fprintf(w, "\n--- the end of %s's log\n%s\n", p.name, p.tail())
	}
}

// prepare finds what is needed and lays out the folder.
func prepare(ctx context.Context) (*Rig, error) {
	r := &Rig{GitToken: rand.Text()}
	var err error
	if r.version, err = tools.ArgoCDVersion(); err != nil {
		return nil, err
	}
	if r.programs, err = tools.Find(ctx, r.version); err != nil {
		return nil, err
	}
	if r.source, err = r.version.Source(ctx); err != nil {
		return nil, err
	}
	if r.redis, err = tools.Redis(ctx); err != nil {
		return nil, err
	}
	names := []string{
		"etcd", "etcd-peer", "kube-apiserver", "kube-controller-manager", "kube-scheduler", "kwok", "redis",
		"repo-server", "repo-server-metrics", "server", "server-metrics", "controller-metrics",
		"notifications-metrics",
	}
	free, err := freePorts(ctx, len(names))
	if err != nil {
		return nil, err
	}
	r.ports = make(map[string]int, len(names))
	for i, name := range names {
		r.ports[name] = free[i]
	}
	if r.dir, err = os.MkdirTemp("", "promoter-e2e-"); err != nil {
		return nil, err
	}
	if err := r.layOut(); err != nil {
		return nil, errors.Join(err, os.RemoveAll(r.dir))
	}
	return r, nil
}

func (r *Rig) layOut() error {
	for _, dir := range []string{"bin", "git", "home", "log", "pki", "tmp", "argocd/tls", "argocd/ssh", "argocd/plugins", "argocd/gpg"} {
		if err := os.MkdirAll(r.path(dir), 0o700); err != nil {
			return err
		}
	}
	// argocd is all of Argo CD's programs in one: it acts as what it was called. It and helm are also called by name.
	links := map[string]string{"helm": r.programs["helm"]}
	for _, name := range []string{"argocd", "argocd-server", "argocd-repo-server", "argocd-application-controller", "argocd-git-ask-pass", "argocd-notifications"} {
		links[name] = r.programs["argocd"]
	}
	for name, program := range links {
		if err := os.Symlink(program, r.path("bin/"+name)); err != nil {
			return err
		}
	}
	// repo-server 3 calls these for every revision, also where signatures are not asked for: there are none.
	for _, script := range []string{"git-verify-wrapper.sh", "gpg-wrapper.sh"} {
		if err := os.WriteFile(r.path("bin/"+script), []byte("#!/bin/sh\n"), 0o700); err != nil {
			return err
		}
	}
	return os.WriteFile(r.path("argocd/ssh/ssh_known_hosts"), nil, 0o600)
}

func (r *Rig) startGit(ctx context.Context) error {
	var err error
	if r.Git, err = githost.Start(r.path("git"), r.GitToken); err != nil {
		return err
	}
	r.WebCore, err = webcore.Create(ctx, r.Git)
	return err
}

// start runs a program as a child of the rig and returns when probe says that it is ready.
func (r *Rig) start(ctx context.Context, name, program string, args []string, probe func(context.Context) error) (*process, error) {
	p := &process{
		name: name, path: program, args: args, dir: r.dir, env: r.environment(),
		log: r.path("log/" + name + ".log"),
	}
	r.mu.Lock()
	r.processes = append(r.processes, p)
	r.mu.Unlock()
	if err := p.start(); err != nil {
		return nil, err
	}
	return p, p.await(ctx, probe)
}

// environment is all that children see: nothing of the developer's, above all no cluster of theirs.
func (r *Rig) environment() []string {
	return append([]string{
		"PATH=" + r.path("bin") + ":" + os.Getenv("PATH"),
		"HOME=" + r.path("home"),
		"TMPDIR=" + r.path("tmp"),
		"KUBECONFIG=" + r.path("kubeconfig"),
	}, r.argoCDEnvironment()...)
}

func (r *Rig) path(name string) string { return filepath.Join(r.dir, name) }

func (r *Rig) addr(name string) string { return loopback(r.ports[name]) }

// together runs all steps at once. The first error cancels the others; all errors are returned.
func together(ctx context.Context, steps ...func(context.Context) error) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	errs := make([]error, len(steps))
	var wg sync.WaitGroup
	for i, step := range steps {
		wg.Go(func() {
			if errs[i] = step(ctx); errs[i] != nil {
				cancel()
			}
		})
	}
	wg.Wait()
	return errors.Join(errs...)
}

// until asks every pollInterval whether done, for at most timeout. What was being waited for is part of the error.
func until(ctx context.Context, timeout time.Duration, what string, done func(context.Context) (bool, error)) error {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	for {
		ok, err := done(ctx)
		if ok && err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("waiting for %s: %w", what, errors.Join(context.Cause(ctx), err))
		case <-time.After(pollInterval):
		}
	}
}
