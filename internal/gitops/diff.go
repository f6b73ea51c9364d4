package gitops

import (
	"context"
	"path"
	"slices"
	"strings"

	"github.com/go-git/go-git/v5/plumbing"
)

// spot is a folder at two commits, and what is looked for in it.
type spot struct {
	of            pair
	path          string        // "" at the root
	before, after plumbing.Hash // trees; zero for none
	left          [][]string    // what is left of each template that leads here, step by step
}

// differences are the files that match a template and differ between the trees
// of spots. The trees of all spots are gone through level by level, so that
// what is not there yet costs one request a level.
func (l *look) differences(ctx context.Context, spots []spot) (map[pair][]fileChange, error) {
	found := map[pair][]fileChange{}
	for len(spots) > 0 {
		need := map[plumbing.Hash]bool{}
		for _, s := range spots {
			need[s.before], need[s.after] = true, true
		}
		if err := l.bring(ctx, plumbing.TreeObject, need); err != nil {
			return nil, err
		}
		var deeper []spot
		for _, s := range spots {
			files, folders, err := l.compare(s)
			if err != nil {
				return nil, err
			}
			found[s.of] = append(found[s.of], files...)
			deeper = append(deeper, folders...)
		}
		spots = deeper
	}
	return found, nil
}

// compare compares one level of a spot: the files that differ, and the folders
// to go on with.
func (l *look) compare(s spot) (files []fileChange, folders []spot, err error) {
	if s.before == s.after {
		return nil, nil, nil
	}
	before, err := l.tree(s.before)
	if err != nil {
		return nil, nil, err
	}
	after, err := l.tree(s.after)
	if err != nil {
		return nil, nil, err
	}
	for _, d := range differing(before, after) {
		below := spot{of: s.of, path: path.Join(s.path, d.name), before: d.before.folder(), after: d.after.folder()}
		isFile := false
		for _, template := range s.left {
			switch {
			case !matches(template[0], d.name):
			case len(template) == 1:
				isFile = true
			default:
				below.left = append(below.left, template[1:])
			}
		}
		if c := (fileChange{path: below.path, before: d.before.file(), after: d.after.file()}); isFile && c.before != c.after {
			files = append(files, c)
		}
		if below.left != nil && below.before != below.after {
			folders = append(folders, below)
		}
	}
	return files, folders, nil
}

// difference is one name in two trees; an entry without a mode is none.
type difference struct {
	name          string
	before, after entry
}

// differing are the names of which two trees say different things. Mostly that
// is one among many, so what is the same at both ends is passed over first.
func differing(before, after []entry) []difference {
	same := func(a, b entry) bool { return a.name == b.name && a.mode == b.mode && a.hash == b.hash }
	for len(before) > 0 && len(after) > 0 && same(before[0], after[0]) {
		before, after = before[1:], after[1:]
	}
	for len(before) > 0 && len(after) > 0 && same(before[len(before)-1], after[len(after)-1]) {
		before, after = before[:len(before)-1], after[:len(after)-1]
	}
	found := make([]difference, 0, max(len(before), len(after)))
	at := make(map[string]int, len(before))
	for _, e := range before {
		at[e.name] = len(found)
		found = append(found, difference{name: e.name, before: e})
	}
	for _, e := range after {
		if i, ok := at[e.name]; ok {
			found[i].after = e
			continue
		}
		found = append(found, difference{name: e.name, after: e})
	}
	return slices.DeleteFunc(found, func(d difference) bool { return same(d.before, d.after) })
}

// file is the hash of a regular file, zero for anything else.
func (e entry) file() plumbing.Hash {
	if strings.HasPrefix(e.mode, "100") {
		return e.hash
	}
	return plumbing.ZeroHash
}

// folder is the hash of a tree, zero for anything else.
func (e entry) folder() plumbing.Hash {
	if e.mode == modeTree {
		return e.hash
	}
	return plumbing.ZeroHash
}

// matches says that a name fits one step of a path template.
func matches(step, name string) bool {
	before, after, open := strings.Cut(step, "{app}")
	if !open {
		return step == name
	}
	_, ok := middle(name, before, after)
	return ok
}

// touches says that a path is among the changes.
func touches(changes []fileChange, paths ...string) bool {
	return slices.ContainsFunc(changes, func(c fileChange) bool { return slices.Contains(paths, c.path) })
}
