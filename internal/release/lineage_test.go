package release

import (
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

// lived is the whole history of a layer that had the tags one after another,
// the oldest first; "-" stands for one that could not be read, and a repeated
// tag for an edit of something else.
func lived(tags string) History {
	var h History
	h.Whole = true
	var before Content
	for i, tag := range strings.Fields(tags) {
		after := Content{Tag: Tag(strings.Trim(tag, "-"))}
		if after.Tag == before.Tag {
			after.Values = before.Values + "x"
		}
		h.Edits = append([]Edit{{Revision: Revision(strings.Repeat(string(rune('a'+i%6)), 40)), Before: before, After: after}}, h.Edits...)
		before = after
	}
	h.Now = before
	return h
}

// short is a history of which only the newest edits are known.
func short(h History, edits int) History {
	h.Edits, h.Whole = h.Edits[:min(edits, len(h.Edits))], false
	return h
}

func TestStanding(t *testing.T) {
	for _, c := range []struct {
		name      string
		dev, prod History
		to        Tag
		want      Standing
	}{
		{"promoted from dev", lived("A B"), lived("A B"), "B", StandingSame},
		{"prod fixed by a commit, dev on the release before", lived("A"), lived("A H"), "H", StandingBehind},
		{"dev on an older one of prod", lived("A"), lived("A B C H"), "H", StandingBehind},
		{"dev back on an older one of prod", lived("A B A"), lived("A B H"), "H", StandingBehind},
		{"dev on one that prod has left and come back to and left", lived("B"), lived("A B A B H"), "H", StandingBehind},
		{"dev moved on during the promotion", lived("A B C"), lived("A B"), "B", StandingAhead},
		{"dev moved on, to what prod never had, from what it has now", lived("B C"), lived("X B"), "B", StandingAhead},
		{"prod rolled back", lived("A B"), lived("A B A"), "A", StandingAhead},
		{"prod rolled back to what dev never had", lived("B"), lived("A B A"), "A", StandingBehind},
		{"dev reset, then moved on", lived("A B A C"), lived("A B"), "B", StandingAhead},
		{"dev reset, then promoted by a commit what it was reset from", lived("A B A"), lived("A B"), "B", StandingAhead},
		{"dev's tag set again and again", lived("A B A B"), lived("A B A"), "A", StandingAhead},
		{"dev flaps", lived("A B A B A"), lived("A B"), "B", StandingAhead},
		{"only values since", lived("A A A"), lived("A H H"), "H", StandingBehind},
		{"strangers", lived("X"), lived("A B"), "B", StandingUnrelated},
		{"strangers for long", lived("X Y Z"), lived("A B C"), "C", StandingUnrelated},

		{"prod has moved on", lived("A"), lived("A H I"), "H", StandingUnknown},
		{"dev cannot be read", lived("A -"), lived("A H"), "H", StandingUnknown},
		{"no tag", lived("A"), lived("A -"), "", StandingUnknown},
		{"dev once could not be read", lived("A - C A"), lived("A H"), "H", StandingUnknown},
		{"dev once could not be read, and had it", lived("H - C A"), lived("A H"), "H", StandingAhead},
		{"prod once could not be read, and had it", lived("A"), lived("A - H"), "H", StandingBehind},
		{"prod once could not be read", lived("X"), lived("A - H"), "H", StandingUnknown},
		{"dev's history short, and has it", short(lived("A B C"), 1), lived("A B"), "B", StandingAhead},
		{"dev's history short", short(lived("H A B"), 1), lived("A B H"), "H", StandingUnknown},
		{"prod's history short, and has it", lived("A"), short(lived("A H"), 1), "H", StandingBehind},
		{"prod's history short", lived("A"), short(lived("A B H"), 1), "H", StandingUnknown},
		{"both short", short(lived("A"), 0), short(lived("A H"), 0), "H", StandingUnknown},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := Follows(c.dev, c.prod, c.to); got != c.want {
				t.Errorf("%s, want %s", got, c.want)
			}
		})
	}
}

// flow of edits to both layers, as they happen, with what happened when.
type played struct {
	dev, prod []string
	set       [2]map[string]int // by environment and tag, when it was last set
}

func play(r *rand.Rand) played {
	p := played{set: [2]map[string]int{{}, {}}}
	for when := range 2 + r.IntN(12) {
		env := when
		if when > 1 {
			env = r.IntN(2)
		}
		tag := string(rune('A' + r.IntN(5)))
		list := []*[]string{&p.dev, &p.prod}[env]
		if n := len(*list); n > 0 && (*list)[n-1] == tag {
			*list = append(*list, tag) // something else was edited
			continue
		}
		*list = append(*list, tag)
		p.set[env][tag] = when
	}
	return p
}

// The definition, word for word, on what really happened.
func (p played) standing() Standing {
	own, to := p.dev[len(p.dev)-1], p.prod[len(p.prod)-1]
	ownSet := p.set[0][own]
	toSet, had := p.set[0][to]
	before := p.prod
	for len(before) > 0 && before[len(before)-1] == to {
		before = before[:len(before)-1]
	}
	inProd := slices.Contains(before, own)
	after := had && ownSet > toSet
	switch {
	case own == to:
		return StandingSame
	case inProd && !after:
		return StandingBehind
	case after:
		return StandingAhead
	case !inProd && !had:
		return StandingUnrelated
	}
	return "neither"
}

// Over random histories the standing is what the definition says; what is known
// of only a part of them never contradicts the whole.
func TestStandingByDefinition(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	seen := map[Standing]int{}
	for range 20_000 {
		p := play(r)
		dev, prod := lived(strings.Join(p.dev, " ")), lived(strings.Join(p.prod, " "))
		want := p.standing()
		got := Follows(dev, prod, prod.Now.Tag)
		if got != want {
			t.Fatalf("dev %v, prod %v: %s, want %s", p.dev, p.prod, got, want)
		}
		seen[got]++
		part := Follows(short(dev, r.IntN(len(dev.Edits)+1)), short(prod, r.IntN(len(prod.Edits)+1)), prod.Now.Tag)
		if part != want && part != StandingUnknown {
			t.Fatalf("dev %v, prod %v, of which a part is known: %s, want %s", p.dev, p.prod, part, want)
		}
		seen[part+" of a part"]++
	}
	t.Log(seen)
	for _, s := range []Standing{StandingSame, StandingAhead, StandingBehind, StandingUnrelated, StandingAhead + " of a part"} {
		if seen[s] < 100 {
			t.Errorf("%s came up %d times only", s, seen[s])
		}
	}
}

func TestRollback(t *testing.T) {
	for _, c := range []struct {
		name        string
		prod        History
		to          Tag
		back, known bool
	}{
		{"the first", lived("A"), "A", false, true},
		{"a new one", lived("A B"), "B", false, true},
		{"a new one that is to come", lived("A B"), "C", false, true},
		{"back", lived("A B A"), "A", true, true},
		{"back, to come", lived("A B"), "A", true, true},
		{"back over several", lived("A B C D A"), "A", true, true},
		{"back, and other edits since", lived("A B A A"), "A", true, true},
		{"only values since", lived("A A"), "A", false, true},
		{"what it has already", lived("A B"), "B", false, true},
		{"forward again", lived("A B A B"), "B", true, true},
		{"unreadable between", lived("A - A"), "A", false, false},
		{"unreadable between others", lived("A - B"), "B", false, false},
		{"unreadable now, and it was there", lived("B A -"), "B", true, true},
		{"unreadable now, and it was there last", lived("B A -"), "A", false, false},
		{"short", short(lived("A B C"), 1), "C", false, false},
		{"short, and it is there", short(lived("A B A"), 2), "A", true, true},
		{"short, before that", short(lived("A B A"), 1), "A", false, false},
		{"no tag", lived("A"), "", false, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			if back, known := Rollback(c.prod, c.to); back != c.back || known != c.known {
				t.Errorf("%v, %v", back, known)
			}
		})
	}
}

func TestRollbackByDefinition(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	for range 20_000 {
		tags := play(r).prod
		h := lived(strings.Join(tags, " "))
		to := string(rune('A' + r.IntN(6)))
		// Some earlier time it was there, later something else, and that before or
		// at the end.
		want := false
		for i := range tags {
			for _, later := range tags[i+1:] {
				want = want || tags[i] == to && later != to
			}
		}
		if got, known := Rollback(h, Tag(to)); got != want || !known {
			t.Fatalf("%v to %s: %v, %v", tags, to, got, known)
		}
		if got, _ := Rollback(short(h, r.IntN(len(tags)+1)), Tag(to)); got && !want {
			t.Fatalf("%v to %s, of which a part is known: %v", tags, to, got)
		}
	}
}

func TestSetBy(t *testing.T) {
	if e, found := lived("A B A A").SetBy(); !found || e.Before.Tag != "B" || e.After.Tag != "A" || e.After.Values != "" {
		t.Errorf("%+v, %v", e, found)
	}
	if e, found := lived("A").SetBy(); !found || e.Before.Tag != "" {
		t.Errorf("the first: %+v, %v", e, found)
	}
	if e, found := short(lived("A B B"), 1).SetBy(); found {
		t.Errorf("found %+v", e)
	}
}
