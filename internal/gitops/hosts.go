package gitops

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"gopkg.in/yaml.v3"

	"github.com/synestra/promoter/internal/release"
)

// maxHosts bounds the hosts that are read from one file.
const maxHosts = 5

// Hosts are the DNS names at which the app is to be seen: those that its
// environment values name for its ingress, at the branch's tip as it was last
// seen. At most 5, in the order of the file; none where the file cannot be
// read as YAML, or the ingress is switched off.
func (r *Repo) Hosts(ctx context.Context, app release.App, environment string) ([]string, error) {
	env, err := r.named(environment)
	if err != nil {
		return nil, err
	}
	tip, err := r.lastTip(ctx)
	if err != nil {
		return nil, fmt.Errorf("reading the hosts of %s: %w", app, err)
	}
	f, err := r.find(ctx, tip, env.ValuesPath(app))
	if err != nil || !f.regular() {
		return nil, err
	}
	data, err := r.content(ctx, f)
	if err != nil {
		return nil, err
	}
	return readHosts(data), nil
}

// readHosts finds hosts in values. Charts differ in how they name them:
// ingress.hosts as names or as mappings with a host, ingress.host,
// ingress.hostname, or the same keys at the top.
func readHosts(data []byte) []string {
	root, _, bad := parseFirst(data)
	if bad != nil || root == nil {
		return nil
	}
	w := &hostFinder{left: maxSteps}
	w.within(root, 0)
	return w.found
}

type hostFinder struct {
	found []string
	left  int // steps: aliases of aliases can be made to grow without bound
}

// within looks through a mapping: the whole file, or an ingress. Below is how
// far it is below the top.
func (w *hostFinder) within(n *yaml.Node, below int) {
	if w.left--; w.left < 0 {
		return
	}
	switch n = resolve(n); {
	case n.Kind == yaml.SequenceNode && below > 0:
		for _, each := range n.Content {
			w.within(each, below+1)
		}
	case n.Kind != yaml.MappingNode || below > 4 || off(n):
	default:
		for i := 0; i+1 < len(n.Content); i += 2 {
			switch key := resolve(n.Content[i]).Value; {
			case slices.Contains([]string{"host", "hosts", "hostname", "hostnames"}, key):
				w.take(n.Content[i+1], 0)
			case below > 0 || strings.HasPrefix(key, "ingress"):
				w.within(n.Content[i+1], below+1)
			}
		}
	}
}

// off says that a mapping has "enabled: false".
func off(n *yaml.Node) bool {
	on := (&finder{maxSteps}).child(n, "enabled")
	return on != nil && on.ShortTag() == "!!bool" && strings.EqualFold(on.Value, "false")
}

// take adds what a key of hosts holds: a name, or several, or mappings that
// each have one.
func (w *hostFinder) take(n *yaml.Node, below int) {
	if w.left--; w.left < 0 || below > 3 {
		return
	}
	switch n = resolve(n); n.Kind {
	case yaml.SequenceNode:
		for _, each := range n.Content {
			w.take(each, below+1)
		}
	case yaml.MappingNode:
		f := &finder{maxSteps}
		for _, key := range []string{"host", "hostname", "name"} {
			if host := f.child(n, key); host != nil {
				w.take(host, below+1)
				break
			}
		}
	case yaml.ScalarNode:
		if len(w.found) < maxHosts && isHost(n.Value) && !slices.Contains(w.found, n.Value) {
			w.found = append(w.found, n.Value)
		}
	}
}

// Labels as RFC 1123 has them; the last one has a letter, so it is no address.
var hostPattern = regexp.MustCompile(`^([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z]([a-z0-9-]{0,61}[a-z0-9])?$`)

func isHost(s string) bool { return len(s) <= 253 && hostPattern.MatchString(s) }
