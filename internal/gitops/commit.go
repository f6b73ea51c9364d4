package gitops

import (
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/go-git/go-git/v5/plumbing"

	"github.com/synestra/promoter/internal/release"
)

// operationTrailer is the trailer by which a pushed commit is known again.
const operationTrailer = "Operation-Id"

// commit is what this package needs to know of a commit object.
type commit struct {
	tree      plumbing.Hash
	parents   []plumbing.Hash
	operation string // value of its Operation-Id trailer, "" if it has none
}

func parseCommit(data []byte) (commit, error) {
	head, message, _ := strings.Cut(string(data), "\n\n")
	var c commit
	for line := range strings.SplitSeq(head, "\n") {
		key, value, _ := strings.Cut(line, " ")
		if (key == "tree" || key == "parent") && !plumbing.IsHash(value) {
			return commit{}, errors.New("malformed commit object")
		}
		switch key {
		case "tree":
			c.tree = plumbing.NewHash(value)
		case "parent":
			c.parents = append(c.parents, plumbing.NewHash(value))
		}
	}
	if c.tree.IsZero() {
		return commit{}, errors.New("malformed commit object")
	}
	c.operation = trailer(message, operationTrailer)
	return c, nil
}

// newCommit makes the commit of a change. Nothing in it comes from anywhere but
// its arguments, so the same change on the same parent is the same commit.
func newCommit(c release.Change, committer release.Identity, tree, parent plumbing.Hash) object {
	at := c.At.UTC().Unix()
	return newObject(plumbing.CommitObject, fmt.Appendf(nil,
		"tree %s\nparent %s\nauthor %s %d +0000\ncommitter %s %d +0000\n\n%s",
		tree, parent, ident(c.Author), at, ident(committer), at, c.Message))
}

// ident is an identity in a header. What could end the line or forge another
// header is dropped here, whoever made the name.
func ident(id release.Identity) string {
	return fmt.Sprintf("%s <%s>", headerSafe(id.Name), headerSafe(id.Email))
}

func headerSafe(s string) string {
	s = strings.Map(func(r rune) rune {
		if r == '<' || r == '>' || unicode.IsControl(r) || unicode.Is(unicode.Cf, r) || r == '\u2028' || r == '\u2029' {
			return -1
		}
		return r
	}, strings.ToValidUTF8(s, ""))
	if s = strings.TrimSpace(s); s == "" {
		return "unknown"
	}
	return s
}

var trailerLine = regexp.MustCompile(`^[A-Za-z0-9-]+:\s`)

// trailer is the value of a trailer, "" if there is none.
func trailer(message, key string) string { return trailers(message)[key] }

// trailers are the last paragraph, if it is not also the first and has nothing
// but trailers and their continuation lines in it (git-interpret-trailers(1)): a
// message that only quotes one does not have it. Of two with one key the last
// one counts.
func trailers(message string) map[string]string {
	message = strings.TrimRight(message, "\n ")
	i := strings.LastIndex(message, "\n\n")
	if i < 0 {
		return nil
	}
	found := map[string]string{}
	for n, line := range strings.Split(message[i+2:], "\n") {
		if n > 0 && strings.HasPrefix(line, " ") {
			continue
		}
		if !trailerLine.MatchString(line + " ") {
			return nil
		}
		key, value, _ := strings.Cut(line, ":")
		found[key] = strings.TrimSpace(value)
	}
	return found
}

// parseDetails reads what people want to know of a commit. What it cannot read
// it leaves empty.
func parseDetails(data []byte) details {
	head, message, _ := strings.Cut(strings.ToValidUTF8(string(data), "\ufffd"), "\n\n")
	var d details
	for line := range strings.SplitSeq(head, "\n") {
		key, value, _ := strings.Cut(line, " ")
		switch key {
		case "author":
			d.author, _ = parseIdent(value)
		case "committer":
			_, d.at = parseIdent(value)
		}
	}
	subject, _, _ := strings.Cut(strings.TrimLeft(message, "\n"), "\n")
	d.subject, d.trailers = release.Plain(subject), trailers(message)
	return d
}

// parseIdent reads "Name <address> 1700000000 +0100".
func parseIdent(s string) (release.Identity, time.Time) {
	name, rest, _ := strings.Cut(s, " <")
	email, when, _ := strings.Cut(rest, "> ")
	seconds, _, _ := strings.Cut(when, " ")
	id := release.Identity{Name: release.Plain(name), Email: release.Plain(email)}
	n, err := strconv.ParseInt(seconds, 10, 64)
	if err != nil {
		return id, time.Time{}
	}
	return id, time.Unix(n, 0).UTC()
}
