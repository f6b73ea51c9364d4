package argocd

import (
	"cmp"
	"slices"

	"github.com/synestra/promoter/internal/release"
)

// entry is what we know of one Application. A gone one stays, so that a server
// that lags behind cannot bring it back.
type entry struct {
	snapshot release.Snapshot
	gone     bool
}

// Known lists the Applications of interest as last seen, by name. Their slices
// are shared: do not write to them.
func (c *Client) Known() []release.Snapshot {
	c.mu.Lock()
	defer c.mu.Unlock()
	var list []release.Snapshot
	for _, e := range c.known {
		if !e.gone {
			list = append(list, e.snapshot)
		}
	}
	slices.SortFunc(list, func(a, b release.Snapshot) int { return cmp.Compare(a.Name, b.Name) })
	return list
}

// Follow gives the newest snapshot of an Application each time it changes, the
// present one at once if it is known. Who is slow misses the ones between. The
// channel is never closed; call stop when done with it.
func (c *Client) Follow(name string) (snapshots <-chan release.Snapshot, stop func()) {
	ch := make(chan release.Snapshot, 1)
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.followers[name] == nil {
		c.followers[name] = map[chan release.Snapshot]struct{}{}
	}
	c.followers[name][ch] = struct{}{}
	if e, ok := c.known[name]; ok {
		ch <- e.snapshot
	}
	return ch, func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		delete(c.followers[name], ch)
		if len(c.followers[name]) == 0 {
			delete(c.followers, name)
		}
	}
}

// learn takes over what the watch or a list says, if it is newer than what is
// known. It reports whether an Application that was known has moved on. Another
// replica of argocd-server may be behind the one we had, so older versions are
// dropped; versions of one cluster grow across Applications too, so this holds
// where a name is used again.
func (c *Client) learn(e entry) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	old, known := c.known[e.snapshot.Name]
	if known && !newer(old, e) {
		return false
	}
	c.publish(e)
	return known
}

func newer(old, e entry) bool {
	was, is := old.snapshot.ResourceVersion, e.snapshot.ResourceVersion
	return is > was || is == was && e.gone && !old.gone
}

// learnTruth takes over what the Kubernetes API says. Of another object with
// the same name it is right whatever its version.
func (c *Client) learnTruth(s release.Snapshot) {
	c.mu.Lock()
	defer c.mu.Unlock()
	old, known := c.known[s.Name]
	if e := (entry{snapshot: s}); !known || old.snapshot.UID != s.UID || newer(old, e) {
		c.publish(e)
	}
}

// publish stores an entry and hands it to the followers. c.mu is held, and only
// its holder sends, so there is room once the old value is taken out.
func (c *Client) publish(e entry) {
	name := e.snapshot.Name
	c.known[name] = e
	for ch := range c.followers[name] {
		select {
		case <-ch:
		default:
		}
		ch <- e.snapshot
	}
}

// vanished records that the Kubernetes API has no Application of that name.
func (c *Client) vanished(name, uid string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if e := c.known[name]; e.snapshot.UID == uid && !e.gone {
		e.snapshot.Deleted, e.gone = true, true
		c.publish(e)
	}
}

// forget drops an Application that can no longer be seen. Whether it still
// exists is not known, so followers are told nothing.
func (c *Client) forget(name string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.known, name)
}

// projectOf is an Application's project, nil if it is not known. With it Argo
// CD tells a missing Application from a forbidden one.
func (c *Client) projectOf(name string) *string {
	c.mu.Lock()
	defer c.mu.Unlock()
	if e, ok := c.known[name]; ok && e.snapshot.Project != "" {
		return &e.snapshot.Project
	}
	return nil
}

// missing lists known Applications, with their UIDs, that a list does not have
// or has as another object.
func (c *Client) missing(listed map[string]string) map[string]string {
	c.mu.Lock()
	defer c.mu.Unlock()
	found := map[string]string{}
	for name, e := range c.known {
		if uid, ok := listed[name]; (!ok && !e.gone) || (ok && uid != e.snapshot.UID) {
			found[name] = e.snapshot.UID
		}
	}
	return found
}
