package store

import (
	"sync"
	"sync/atomic"
	"testing"

	"github.com/synestra/promoter/internal/release"
)

func question(id string) release.Question {
	return release.Question{
		ID: id, Command: "reset-dev", App: "web", By: "U1", From: "v1", To: "v2", Blob: "b10b",
		Asked: release.Channel{ID: "C1", Shared: true}, Expires: at.Unix(),
	}
}

func TestTakeOnce(t *testing.T) {
	path := file(t)
	s := open(t, path)
	must(t, s.Ask(t.Context(), question("q")))
	must(t, s.Ask(t.Context(), question("other")))
	must(t, s.Close())

	s = open(t, path)
	got, found, err := s.Take(t.Context(), "q")
	if err != nil || !found || got != question("q") {
		t.Errorf("Take = %+v, %v, %v", got, found, err)
	}
	for _, id := range []string{"q", "never asked", ""} {
		if got, found, err := s.Take(t.Context(), id); err != nil || found || got != (release.Question{}) {
			t.Errorf("Take(%q) = %+v, %v, %v", id, got, found, err)
		}
	}
	if _, found, err := s.Take(t.Context(), "other"); err != nil || !found {
		t.Errorf("the other question: %v, %v", found, err)
	}
}

func TestAskTwice(t *testing.T) {
	s := open(t, file(t))
	must(t, s.Ask(t.Context(), question("q")))
	if err := s.Ask(t.Context(), question("q")); err == nil {
		t.Error("one id was given to two questions")
	}
}

func TestTakeFromManySides(t *testing.T) {
	path := file(t)
	stores := []*Store{open(t, path), open(t, path)}
	must(t, stores[0].Ask(t.Context(), question("q")))
	var taken atomic.Int32
	var all sync.WaitGroup
	for i := range 40 {
		all.Go(func() {
			_, found, err := stores[i%2].Take(t.Context(), "q")
			if err != nil {
				t.Error(err)
			}
			if found {
				taken.Add(1)
			}
		})
	}
	all.Wait()
	if n := taken.Load(); n != 1 {
		t.Errorf("%d clicks took it", n)
	}
}
