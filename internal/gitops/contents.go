package gitops

import (
	"context"
	"fmt"
	"maps"
	"strings"

	"github.com/go-git/go-git/v5/plumbing"

	"github.com/synestra/promoter/internal/release"
)

// survey is what Git says of every app in an environment at a commit.
type survey struct {
	tip  plumbing.Hash
	apps map[release.App]release.Content
}

// place is an app's files at a commit. What they say there never changes.
type place struct {
	layer, values string
	at            plumbing.Hash
}

// Contents is what Git says of every app that has a layer in the environment, at
// the branch's tip, which it asks the host for; and that tip. Where the branch
// has not moved it costs nothing else. The contents are shared: do not write to
// their maps.
func (r *Repo) Contents(ctx context.Context, environment string) (map[release.App]release.Content, release.Revision, error) {
	env, err := r.named(environment)
	if err != nil {
		return nil, "", err
	}
	tip, err := r.sync(ctx)
	if err != nil {
		return nil, "", fmt.Errorf("reading the layers of %s: %w", environment, err)
	}
	r.mu.Lock()
	last := r.newest[environment]
	r.mu.Unlock()
	if last.tip == tip {
		return maps.Clone(last.apps), revision(tip), nil
	}
	apps, err := r.survey(ctx, env, tip)
	if err != nil {
		return nil, "", fmt.Errorf("reading the layers of %s at %.7s: %w", environment, tip, err)
	}
	r.mu.Lock()
	r.newest[environment] = survey{tip, apps}
	r.mu.Unlock()
	return maps.Clone(apps), revision(tip), nil
}

func (r *Repo) survey(ctx context.Context, env release.Environment, at plumbing.Hash) (map[release.App]release.Content, error) {
	c, err := r.commitAt(ctx, at)
	if err != nil {
		return nil, err
	}
	l, of := r.look(), pair{commit: at}
	left := [][]string{strings.Split(env.Layer, "/"), strings.Split(env.Values, "/")}
	// All that there is differs from nothing.
	found, err := l.differences(ctx, []spot{{of: of, after: c.tree, left: left}})
	if err != nil {
		return nil, err
	}
	files, layers := map[string]plumbing.Hash{}, map[plumbing.Hash]bool{}
	apps := map[release.App]release.Content{}
	for _, f := range found[of] {
		files[f.path] = f.after
		if app, ok := appOf(f.path, env); ok {
			apps[app], layers[f.after] = release.Content{}, true
		}
	}
	texts, err := l.layers(ctx, layers)
	if err != nil {
		return nil, err
	}
	for app := range apps {
		apps[app] = said(texts, files[env.LayerPath(app)], files[env.ValuesPath(app)])
	}
	return apps, nil
}

// Content is what Git says of one app in the environment at a commit. Its map
// is shared: do not write to it.
func (r *Repo) Content(ctx context.Context, app release.App, environment string, at release.Revision) (release.Content, error) {
	env, err := r.named(environment)
	if err != nil {
		return release.Content{}, err
	}
	h, err := hash(at)
	if err != nil {
		return release.Content{}, fmt.Errorf("reading %s in %s: %w", app, environment, err)
	}
	p := place{env.LayerPath(app), env.ValuesPath(app), h}
	r.mu.Lock()
	known, ok := r.said[p]
	r.mu.Unlock()
	if ok {
		return known, nil
	}
	c, err := r.contentAt(ctx, p)
	if err != nil {
		return release.Content{}, fmt.Errorf("reading %s in %s at %s: %w", app, environment, at.Short(), err)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.said) >= maxFacts {
		clear(r.said)
	}
	r.said[p] = c
	return c, nil
}

func (r *Repo) contentAt(ctx context.Context, p place) (release.Content, error) {
	if !r.history().has(p.at) {
		// It may be newer than what is known. One fetch then brings its files too.
		if _, err := r.sync(ctx); err != nil {
			return release.Content{}, err
		}
	}
	layer, values, err := r.files(ctx, p)
	if err != nil {
		return release.Content{}, err
	}
	texts, err := r.look().layers(ctx, map[plumbing.Hash]bool{layer: true})
	return said(texts, layer, values), err
}

// files are the hashes of an app's layer and values, zero where there is none.
func (r *Repo) files(ctx context.Context, p place) (layer, values plumbing.Hash, err error) {
	f, err := r.find(ctx, p.at, p.layer)
	if err != nil {
		return layer, values, err
	}
	g, err := r.find(ctx, p.at, p.values)
	return f.file(), g.file(), err
}

// layers reads layers, and fetches those that are not known in one request.
// What they say is kept, themselves they are not.
func (l *look) layers(ctx context.Context, blobs map[plumbing.Hash]bool) (map[plumbing.Hash]release.Content, error) {
	texts, absent := map[plumbing.Hash]release.Content{}, map[plumbing.Hash]bool{}
	l.r.mu.Lock()
	for h := range blobs {
		if text, ok := l.r.texts[h]; ok {
			texts[h] = text
		} else if !h.IsZero() {
			absent[h] = true
		}
	}
	l.r.mu.Unlock()
	if err := l.bring(ctx, plumbing.BlobObject, absent); err != nil {
		return nil, err
	}
	for h := range absent {
		data, ok := l.get(h, plumbing.BlobObject)
		if !ok {
			return nil, fmt.Errorf("the host did not send blob %s", h)
		}
		texts[h] = readLayer(data, l.r.tagPath)
	}
	l.r.mu.Lock()
	defer l.r.mu.Unlock()
	if len(l.r.texts)+len(absent) > maxFacts {
		clear(l.r.texts)
	}
	for h := range absent {
		l.r.texts[h] = texts[h]
	}
	return texts, nil
}

// readLayer is what a layer says, as Helm reads it; nothing where it is no YAML.
func readLayer(data []byte, tagPath []string) release.Content {
	settings := readSettings(data, tagPath)
	c := release.Content{Settings: settings, Repository: release.Layer{Settings: settings}.Repository()}
	value, _ := readValue(data, tagPath)
	if tag, err := release.ParseTag(value); err == nil {
		c.Tag = tag
	}
	return c
}

// said is what a layer and values say together.
func said(texts map[plumbing.Hash]release.Content, layer, values plumbing.Hash) release.Content {
	c := texts[layer]
	if !values.IsZero() {
		c.Values = values.String()
	}
	return c
}

// appOf is the app whose layer a path is.
func appOf(path string, env release.Environment) (release.App, bool) {
	before, after, _ := strings.Cut(env.Layer, "{app}")
	name, ok := middle(path, before, after)
	if !ok {
		return "", false
	}
	app, err := release.ParseApp(name)
	return app, err == nil
}

func (r *Repo) named(environment string) (release.Environment, error) {
	env, ok := r.environments.Named(environment)
	if !ok {
		return env, fmt.Errorf("there is no environment %q", environment)
	}
	return env, nil
}
