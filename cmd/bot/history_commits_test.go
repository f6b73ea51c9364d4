package main

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/synestra/promoter/internal/sandbox/githost"
)

// change is what somebody wants on the branch.
type change struct {
	app, message string
	files        map[string][]byte
	side         bool // by way of a branch that is merged
	hash         string
	err          error
	done         chan struct{}
}

// committer puts the changes of all apps on the branch, in one push those that
// come at about the same time: that is one run of git for many commits.
type committer struct {
	git     *githost.Host
	changes chan *change

	mu       sync.Mutex
	tip      string
	position map[string]int // of each commit on the branch's line
}

func newCommitter(w *world, tip string) *committer {
	return &committer{git: w.git, changes: make(chan *change), tip: tip, position: map[string]int{tip: 0}}
}

// push returns when the change is on the branch.
func (c *committer) push(ctx context.Context, ch *change) error {
	ch.done = make(chan struct{})
	select {
	case c.changes <- ch:
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	<-ch.done
	return ch.err
}

// reached says that a revision of the branch has the commit.
func (c *committer) reached(commit, revision string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	at, known := c.position[revision]
	return known && at >= c.position[commit]
}

// run commits until ctx ends.
func (c *committer) run(ctx context.Context, gather time.Duration) {
	for {
		var batch []*change
		select {
		case first := <-c.changes:
			batch = append(batch, first)
		case <-ctx.Done():
			return
		}
		full := time.NewTimer(gather)
		for waiting := true; waiting; {
			select {
			case next := <-c.changes:
				batch = append(batch, next)
			case <-full.C:
				waiting = false
			}
		}
		err := c.commit(ctx, batch)
		for _, ch := range batch {
			ch.err = err
			close(ch.done)
		}
	}
}

func (c *committer) commit(ctx context.Context, batch []*change) error {
	var in bytes.Buffer
	from := c.tip
	for i, ch := range batch {
		mark := 10*i + 1
		if ch.side {
			ch.write(&in, "refs/heads/side", mark+1, from, "")
			ch.write(&in, "refs/heads/"+githost.Branch, mark, from, fmt.Sprintf(":%d", mark+1))
		} else {
			ch.write(&in, "refs/heads/"+githost.Branch, mark, from, "")
		}
		fmt.Fprintf(&in, "get-mark :%d\n", mark)
		from = fmt.Sprintf(":%d", mark)
	}
	out, err := c.git.Import(context.WithoutCancel(ctx), githost.WebCore, in.Bytes())
	if err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for i, hash := range strings.Fields(out) {
		batch[i].hash, c.tip = hash, hash
		c.position[hash] = len(c.position)
	}
	return nil
}

// write is one commit in the language of git fast-import.
func (ch *change) write(in *bytes.Buffer, ref string, mark int, from, merged string) {
	person := fmt.Sprintf("dev-%s <dev@example.org> %d +0000", ch.app, time.Now().Unix())
	message := ch.message
	if merged != "" {
		message = "Merge side"
	}
	fmt.Fprintf(in, "commit %s\nmark :%d\nauthor %s\ncommitter %s\ndata %d\n%s\nfrom %s\n", ref, mark, person, person, len(message), message, from)
	if merged != "" {
		fmt.Fprintf(in, "merge %s\n", merged)
	}
	for _, path := range slices.Sorted(maps.Keys(ch.files)) {
		fmt.Fprintf(in, "M 100644 inline %s\ndata %d\n%s\n", path, len(ch.files[path]), ch.files[path])
	}
	in.WriteByte('\n')
}
