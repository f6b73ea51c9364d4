package release

import (
	"maps"
	"time"
)

// Content is what Git says that one app runs in one environment, at one commit.
type Content struct {
	Tag        Tag    // "" where there is no layer, or its tag cannot be read
	Repository string // image repository that the layer names, "" if none
	// Settings are the layer's other scalars, by dotted path.
	Settings map[string]string
	Values   string // hash of the environment values file, "" where there is none
}

// Same says that both ask for the same: comments and spelling of the layer
// change nothing, of the values any byte may.
func (c Content) Same(d Content) bool {
	return c.Tag == d.Tag && c.Values == d.Values && maps.Equal(c.Settings, d.Settings)
}

// Edit is one step of the branch, along its first parents, that changed what
// an app's release layer or environment values say.
type Edit struct {
	Revision      Revision
	Before, After Content
	// Authors are those of the commits that changed the files: of the step
	// itself, or of the commits that it merged. Newest first, each once.
	Authors  []Identity
	Subject  string
	At       time.Time         // committer's date: for people, never for decisions
	Trailers map[string]string // of the commit message; ours, such as Operation-Id
}

// History is how an app's files in one environment came to say what they say.
type History struct {
	Tip   Revision
	Now   Content // at the tip
	Edits []Edit  // newest first
	// Whole says that no edit is missing: the list reaches back to the revision
	// it was asked from, or to the files' first. Where it is false nothing may be
	// concluded from what the list does not have.
	Whole bool
}
