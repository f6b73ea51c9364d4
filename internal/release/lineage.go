package release

import "slices"

// What follows from a history that was asked for from its beginning. Where it
// does not reach back that far, only what it has can be concluded from it.

// tags are the layer's tags, the newest first. One is "" where the layer was
// not there or could not be read.
func (h History) tags() []Tag {
	list := []Tag{h.Now.Tag}
	for _, e := range h.Edits {
		list = append(list, e.After.Tag, e.Before.Tag)
	}
	return list
}

// had says whether the layer ever had the tag, now included.
func (h History) had(tag Tag) (yes, known bool) {
	if slices.Contains(h.tags(), tag) {
		return true, true
	}
	return false, h.complete()
}

// complete says that every tag the layer ever had is known.
func (h History) complete() bool {
	tags := h.tags()
	for len(tags) > 0 && tags[len(tags)-1] == "" {
		tags = tags[:len(tags)-1] // before there was a layer
	}
	return h.Whole && !slices.Contains(tags, "")
}

// SetBy is the edit that gave the layer the tag it has now, false if it is not
// in the list.
func (h History) SetBy() (Edit, bool) {
	tag := h.Now.Tag
	i := slices.IndexFunc(h.Edits, func(e Edit) bool { return e.After.Tag == tag && e.Before.Tag != tag })
	if i < 0 {
		return Edit{}, false
	}
	return h.Edits[i], true
}

// Rollback says whether prod goes back by going to a tag: it had that tag
// before, and another one since. Where the newest edits already set the tag they
// are the move itself, so the history must not reach beyond the move. While
// known is false nothing is proven, and back is false.
func Rollback(prod History, to Tag) (back, known bool) {
	if to == "" {
		return false, false
	}
	earlier := prod.tags()
	for len(earlier) > 0 && (earlier[0] == to || earlier[0] == "") {
		earlier = earlier[1:]
	}
	if slices.Contains(earlier, to) {
		return true, true
	}
	return false, prod.complete()
}
