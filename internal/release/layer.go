package release

import (
	"maps"
	"slices"
)

// Layer is what one release layer says at one commit.
type Layer struct {
	Path    string
	Missing bool   // there is no such file
	Blob    string // hash of the file's content
	Tag     Tag    // "" where Flaw is set
	// Settings are the file's other scalars, by dotted path ("image.repository").
	Settings map[string]string
	// Digest is an image digest that the layer or the environment values pin.
	// Where there is one, the tag decides nothing.
	Digest string
	// Flaw says why the tag cannot be read or replaced safely, nil if it can.
	Flaw *Flaw
}

// Flaw is why a layer is not safely editable.
type Flaw struct {
	Reason string // for people: "image.tag is an alias"
	Line   int    // 1-based; 0 if it has no place
}

// Repository is the image repository the layer names, "" if it names none.
func (l Layer) Repository() string { return l.Settings["image.repository"] }

// Layers are both layers of one app, read at one commit.
type Layers struct {
	App       App
	Revision  Revision // the branch's tip when they were read
	Dev, Prod Layer
}

// Presence says in which environments an app has a layer.
type Presence struct {
	App       App
	Dev, Prod bool
}

// Difference is a key, other than the tag, that the two layers set differently.
type Difference struct{ Key, Dev, Prod string }

// Differences are the keys other than the tag in which the layers differ, the
// image repository first, then by name. An absent key counts as "".
func (l Layers) Differences() []Difference {
	keys := map[string]bool{}
	for k := range l.Dev.Settings {
		keys[k] = true
	}
	for k := range l.Prod.Settings {
		keys[k] = true
	}
	var found []Difference
	for _, k := range slices.Sorted(maps.Keys(keys)) {
		dev, prod := l.Dev.Settings[k], l.Prod.Settings[k]
		if dev == prod {
			continue
		}
		d := Difference{Key: k, Dev: dev, Prod: prod}
		if k == "image.repository" {
			found = slices.Insert(found, 0, d)
		} else {
			found = append(found, d)
		}
	}
	return found
}
