package gitops

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/go-git/go-git/v5/plumbing"

	"github.com/synestra/promoter/internal/release"
)

// Apps lists the apps that have a layer at the branch's tip, by name. Files
// whose names can be no app's are left out, and logged once.
func (r *Repo) Apps(ctx context.Context) ([]release.Presence, release.Revision, error) {
	tip, err := r.sync(ctx)
	if err != nil {
		return nil, "", fmt.Errorf("listing the apps: %w", err)
	}
	found := map[release.App]release.Presence{}
	for i, env := range r.both() {
		names, err := r.layerNames(ctx, tip, env.Layer)
		if err != nil {
			return nil, "", fmt.Errorf("listing the apps: %w", err)
		}
		for _, name := range names {
			app, err := release.ParseApp(name)
			if err != nil {
				r.logOdd(ctx, env.Layer, name)
				continue
			}
			p := found[app]
			p.App, p.Dev, p.Prod = app, p.Dev || i == 0, p.Prod || i == 1
			found[app] = p
		}
	}
	apps := slices.SortedFunc(maps.Values(found), func(a, b release.Presence) int { return cmp.Compare(a.App, b.App) })
	return apps, revision(tip), nil
}

func (r *Repo) logOdd(ctx context.Context, template, name string) {
	r.mu.Lock()
	seen := r.odd[template+name]
	r.odd[template+name] = true
	r.mu.Unlock()
	if !seen {
		r.log.WarnContext(ctx, "a layer's file name is no app name; it is left out", slog.String("layer", template), slog.String("name", name))
	}
}

// layerNames are what stands for "{app}" in the files that match a template at
// a commit.
func (r *Repo) layerNames(ctx context.Context, at plumbing.Hash, template string) ([]string, error) {
	folder, pattern, below := splitTemplate(template)
	entries, err := r.list(ctx, at, folder)
	if err != nil {
		return nil, err
	}
	before, after, _ := strings.Cut(pattern, "{app}")
	var names []string
	for _, e := range entries {
		name, ok := middle(e.name, before, after)
		switch {
		case !ok:
		case below == "":
			if e.mode != modeTree {
				names = append(names, name)
			}
		case e.mode == modeTree:
			_, _, there, err := walk(ctx, r.object, e.hash, below)
			if err != nil {
				return nil, err
			}
			if there {
				names = append(names, name)
			}
		}
	}
	return names, nil
}

// siblings are the files beside an app's, where a folder holds one file an app.
func (r *Repo) siblings(ctx context.Context, at plumbing.Hash, template string) ([]plumbing.Hash, error) {
	folder, pattern, below := splitTemplate(template)
	if below != "" {
		return nil, nil
	}
	entries, err := r.list(ctx, at, folder)
	if err != nil {
		return nil, err
	}
	before, after, _ := strings.Cut(pattern, "{app}")
	var found []plumbing.Hash
	for _, e := range entries {
		if _, ok := middle(e.name, before, after); ok && strings.HasPrefix(e.mode, "100") {
			found = append(found, e.hash)
		}
	}
	return found, nil
}

// list is a folder at a commit; empty if there is no such folder.
func (r *Repo) list(ctx context.Context, at plumbing.Hash, folder string) ([]entry, error) {
	c, err := r.commitAt(ctx, at)
	if err != nil {
		return nil, err
	}
	tree := c.tree
	if folder != "" {
		_, e, ok, err := walk(ctx, r.object, c.tree, folder)
		if err != nil || !ok || e.mode != modeTree {
			return nil, err
		}
		tree = e.hash
	}
	data, err := r.object(ctx, tree, plumbing.TreeObject)
	if err != nil {
		return nil, err
	}
	return parseTree(data)
}

// splitTemplate splits a path template around the step that holds "{app}".
func splitTemplate(template string) (folder, pattern, below string) {
	before, after, _ := strings.Cut(template, "{app}")
	rest := ""
	if i := strings.IndexByte(after, '/'); i >= 0 {
		after, rest = after[:i], after[i+1:]
	}
	folder, start := path.Split(before)
	return strings.TrimSuffix(folder, "/"), start + "{app}" + after, rest
}

// middle is what stands between two ends of a name.
func middle(name, before, after string) (string, bool) {
	name, ok := strings.CutPrefix(name, before)
	if !ok {
		return "", false
	}
	return strings.CutSuffix(name, after)
}
