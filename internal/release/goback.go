package release

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Earlier are the tags that the layer had before the one it has, newest first,
// each once, at most that many.
func (h History) Earlier(most int) []Tag {
	var found []Tag
	for _, tag := range h.tags() {
		if tag != "" && tag != h.Now.Tag && !slices.Contains(found, tag) && len(found) < most {
			found = append(found, tag)
		}
	}
	return found
}

// Previous is the release that the present one followed. What was gone back
// from does not count: after A, B and back to A there is none. It is false where
// there is none, or the history is not known well enough to tell.
func (h History) Previous() (Tag, bool) {
	if !h.complete() {
		return "", false
	}
	var line []Tag
	for _, tag := range slices.Backward(h.tags()) {
		switch i := slices.Index(line, tag); {
		case tag == "": // before there was a layer
		case i >= 0:
			line = line[:i+1]
		default:
			line = append(line, tag)
		}
	}
	if len(line) < 2 {
		return "", false
	}
	return line[len(line)-2], true
}

// GoBack decides what rolling prod back changes: its layer gets a tag that it
// had before, the previous one if to is "". How dev is does not matter. The
// history is asked for from its beginning.
func GoBack(s State, prod History, to Tag) (Plan, *Refusal) {
	l := s.Layers
	if no := s.writable(l.Prod, s.Prod); no != nil {
		return Plan{}, no
	}
	if no := s.Prod.deploys(); no != nil {
		return Plan{}, no
	}
	if prod.Now.Tag != l.Prod.Tag {
		return Plan{}, s.branchMoved()
	}
	if to == "" {
		previous, known := prod.Previous()
		if !known {
			return Plan{}, s.noPrevious(prod)
		}
		to = previous
	}
	if to == l.Prod.Tag {
		return Plan{}, s.backAlready()
	}
	if had, _ := prod.had(to); !had {
		return Plan{}, s.neverThere(prod, to)
	}
	held := fmt.Sprintf("Going back holds automation for `%s` until somebody promotes it, or `/release resume %s`", l.App, l.App)
	return Plan{
		Environment: s.Prod.Environment, Path: l.Prod.Path, From: l.Prod.Tag, To: to,
		Repository: l.Prod.Repository(), Notes: append(kept(prod, to), held),
	}, nil
}

func (s State) noPrevious(prod History) *Refusal {
	if len(prod.Earlier(1)) == 0 && prod.complete() {
		return Refuse(CodeNoPrevious, "", s.prodOf()+" never had another release than `%s`.", prod.Now.Tag)
	}
	return Refuse(CodeNoPrevious, fmt.Sprintf("Name the one to go back to: `/rollback %s <tag>`.", s.Layers.App),
		"Which release of `%s` came before `%s` in %s cannot be told for certain.", s.Layers.App, prod.Now.Tag, s.Prod.Environment.Name)
}

func (s State) neverThere(prod History, to Tag) *Refusal {
	do := "There is none to go back to."
	if had := prod.Earlier(3); len(had) > 0 {
		do = "Before, it had " + list(had) + "."
	}
	reach := ""
	if !prod.complete() {
		reach = ", as far back as its history can be read"
	}
	return Refuse(CodeNeverThere, do, s.prodOf()+" never had `%s`"+reach+".", to)
}

func (s State) backAlready() *Refusal {
	tag := Plain(string(s.Layers.Prod.Tag))
	say := fmt.Sprintf("%s already runs `%s`.", s.prodOf(), tag)
	if why := s.Prod.unverified(s.Layers.Prod); s.Prod.Live.Problem != "" || why != "" {
		say = fmt.Sprintf("%s already has `%s` in Git; but as for what runs, %s.", s.prodOf(), tag, cmp.Or(Plain(s.Prod.Live.Problem), why))
	}
	return &Refusal{Code: CodeAlreadyThere, Say: say, Do: "There is nothing to roll back."}
}

// kept says that a rollback leaves other settings as they are.
func kept(prod History, to Tag) []string {
	i := slices.IndexFunc(prod.Edits, func(e Edit) bool { return e.Before.Tag == to && e.After.Tag != to })
	if i < 0 {
		return nil
	}
	then := prod.Edits[i].Before
	if then.Values == prod.Now.Values && maps.Equal(then.Settings, prod.Now.Settings) {
		return nil
	}
	return []string{fmt.Sprintf("Only the tag goes back: other settings have changed since `%s` was there, and stay as they are", Plain(string(to)))}
}

func (s State) prodOf() string { return s.Prod.of(s.Layers.App) }

func list(tags []Tag) string {
	var all []string
	for _, t := range tags {
		all = append(all, "`"+Plain(string(t))+"`")
	}
	return strings.Join(all, ", ")
}
