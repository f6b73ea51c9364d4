package gitops

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/go-git/go-git/v5/plumbing"

	"github.com/synestra/promoter/internal/release"
)

// maxPrefetch bounds the files that are fetched beside those asked for.
const maxPrefetch = 1024

// Layers reads both layers of an app at the branch's tip, which it asks the
// host for.
func (r *Repo) Layers(ctx context.Context, app release.App) (release.Layers, error) {
	tip, err := r.sync(ctx)
	if err != nil {
		return release.Layers{}, fmt.Errorf("reading the layers of %s: %w", app, err)
	}
	found := release.Layers{App: app, Revision: revision(tip)}
	var files [2][2]file // by environment: layer, values
	var need []plumbing.Hash
	for i, env := range r.both() {
		for j, path := range []string{env.LayerPath(app), env.ValuesPath(app)} {
			f, err := r.find(ctx, tip, path)
			if err != nil {
				return release.Layers{}, err
			}
			if files[i][j] = f; f.regular() {
				need = append(need, f.hash)
			}
		}
	}
	if err := r.prefetch(ctx, tip, need); err != nil {
		return release.Layers{}, fmt.Errorf("reading the layers of %s: %w", app, err)
	}
	for i, into := range []*release.Layer{&found.Dev, &found.Prod} {
		if *into, err = r.layer(ctx, files[i][0], files[i][1]); err != nil {
			return release.Layers{}, err
		}
	}
	return found, nil
}

// layer reads one layer and looks for an image digest in it and in the
// environment's values.
func (r *Repo) layer(ctx context.Context, f, values file) (release.Layer, error) {
	layer := release.Layer{Path: f.path}
	if f.missing {
		layer.Missing = true
		return layer, nil
	}
	if layer.Flaw = f.flaw(); layer.Flaw != nil {
		return layer, nil
	}
	layer.Blob = f.hash.String()
	data, err := r.content(ctx, f)
	if err != nil {
		return layer, err
	}
	layer.Tag, layer.Flaw = readTag(data, r.tagPath)
	layer.Settings = readSettings(data, r.tagPath)
	digest, flaw := readDigest(data, r.tagPath)
	if layer.Digest = digest; layer.Flaw == nil {
		layer.Flaw = flaw
	}
	if layer.Digest == "" && !values.missing {
		err = r.valuesDigest(ctx, &layer, values)
	}
	if layer.Flaw != nil {
		layer.Tag = ""
	}
	return layer, err
}

// valuesDigest looks into the environment's values. Where they cannot be read
// it is unknown whether the tag decides anything, which is a flaw too.
func (r *Repo) valuesDigest(ctx context.Context, layer *release.Layer, values file) error {
	flaw := values.flaw()
	if flaw == nil {
		data, err := r.content(ctx, values)
		if err != nil {
			return err
		}
		layer.Digest, flaw = readDigest(data, r.tagPath)
	}
	if flaw != nil && layer.Flaw == nil {
		layer.Flaw = &release.Flaw{Reason: fmt.Sprintf("%s beside it cannot be read: %s", values.path, flaw.Reason)}
	}
	return nil
}

// file is what a path is at a commit.
type file struct {
	path    string
	missing bool
	entry
}

func (f file) regular() bool { return !f.missing && strings.HasPrefix(f.mode, "100") }

// flaw says why there is something at the path, but no file.
func (f file) flaw() *release.Flaw {
	switch {
	case f.regular():
		return nil
	case f.mode == modeLink:
		return &release.Flaw{Reason: "it is a symbolic link"}
	case f.mode == modeSubmodule:
		return &release.Flaw{Reason: "it is a submodule"}
	}
	return &release.Flaw{Reason: "it is a folder"}
}

// find looks a path up at a commit.
func (r *Repo) find(ctx context.Context, at plumbing.Hash, path string) (file, error) {
	c, err := r.commitAt(ctx, at)
	if err != nil {
		return file{}, err
	}
	_, e, ok, err := walk(ctx, r.object, c.tree, path)
	if err != nil {
		return file{}, fmt.Errorf("reading %s at %.7s: %w", path, at, err)
	}
	return file{path, !ok, e}, nil
}

func (r *Repo) content(ctx context.Context, f file) ([]byte, error) {
	data, err := r.object(ctx, f.hash, plumbing.BlobObject)
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", f.path, err)
	}
	return data, nil
}

// prefetch brings the files that are needed and not cached in one request.
// With them come the other apps' files, which are small and asked for next.
func (r *Repo) prefetch(ctx context.Context, tip plumbing.Hash, need []plumbing.Hash) error {
	need = r.absent(need)
	if len(need) == 0 {
		return nil
	}
	wants := need
	for _, env := range r.both() {
		for _, template := range []string{env.Layer, env.Values} {
			entries, err := r.siblings(ctx, tip, template)
			if err != nil {
				return err
			}
			wants = append(wants, r.absent(entries)...)
		}
	}
	if len(wants) > maxPrefetch {
		wants = need
	}
	_, err := r.fetch(ctx, askObjects(plumbing.BlobObject, wants))
	if errors.Is(err, errTooLarge) && len(wants) > len(need) {
		_, err = r.fetch(ctx, askObjects(plumbing.BlobObject, need))
	}
	return err
}

func (r *Repo) absent(hashes []plumbing.Hash) []plumbing.Hash {
	var absent []plumbing.Hash
	for _, h := range hashes {
		if _, ok := r.objects.get(h); !ok {
			absent = append(absent, h)
		}
	}
	return absent
}
