package gitops

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/go-git/go-git/v5/plumbing"
)

// Modes of tree entries, as Git writes them.
const (
	modeTree      = "40000"
	modeLink      = "120000"
	modeSubmodule = "160000"
)

// entry is a line of a tree.
type entry struct {
	mode, name string
	hash       plumbing.Hash
	at         int // where the hash stands in the tree's bytes
}

// parseTree reads the entries of a tree object: "mode SP name NUL hash", one
// after the other.
func parseTree(data []byte) ([]entry, error) {
	const size = len(plumbing.Hash{})
	var found []entry
	for at := 0; at < len(data); {
		head, _, ok := bytes.Cut(data[at:], []byte{0})
		mode, name, spaced := strings.Cut(string(head), " ")
		at += len(head) + 1
		if !ok || !spaced || at+size > len(data) {
			return nil, errors.New("malformed tree object")
		}
		e := entry{mode: mode, name: name, at: at}
		copy(e.hash[:], data[at:])
		found = append(found, e)
		at += size
	}
	return found, nil
}

// fetcher brings an object's bytes.
type fetcher func(ctx context.Context, h plumbing.Hash, kind plumbing.ObjectType) ([]byte, error)

// dir is a tree on the way to a path, and where the next step's hash stands in it.
type dir struct {
	data []byte
	at   int
}

// walk follows a path down from a root tree. It returns the trees it came
// through and the entry at the end; false if there is no such path.
func walk(ctx context.Context, get fetcher, root plumbing.Hash, path string) ([]dir, entry, bool, error) {
	var way []dir
	last := entry{mode: modeTree, hash: root}
	for _, name := range strings.Split(path, "/") {
		if last.mode != modeTree {
			return nil, entry{}, false, nil
		}
		data, err := get(ctx, last.hash, plumbing.TreeObject)
		if err != nil {
			return nil, entry{}, false, err
		}
		entries, err := parseTree(data)
		if err != nil {
			return nil, entry{}, false, err
		}
		i := slices.IndexFunc(entries, func(e entry) bool { return e.name == name })
		if i < 0 {
			return nil, entry{}, false, nil
		}
		last = entries[i]
		way = append(way, dir{data, last.at})
	}
	return way, last, true, nil
}

// graft puts another object at the end of a way, and returns the new trees, the
// root last. The rest of each tree stays as it is, byte for byte.
func graft(way []dir, h plumbing.Hash) []object {
	var made []object
	for _, d := range slices.Backward(way) {
		data := slices.Clone(d.data)
		copy(data[d.at:], h[:])
		tree := newObject(plumbing.TreeObject, data)
		made = append(made, tree)
		h = tree.hash
	}
	return made
}
