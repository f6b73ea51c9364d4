package store

import (
	"fmt"
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

// click is a click of the person who was asked.
func click(id, delivery string) release.Request {
	return release.Request{Delivery: delivery, Subject: id, By: release.Person{ID: "U1"}}
}

func TestTakeOnce(t *testing.T) {
	path := file(t)
	s := open(t, path)
	must(t, s.Ask(t.Context(), question("q")))
	must(t, s.Ask(t.Context(), question("other")))
	must(t, s.Close())

	s = open(t, path)
	stranger := click("q", "d0")
	stranger.By.ID = "U2"
	for _, row := range []struct {
		name  string
		click release.Request
		found bool
	}{
		{"somebody else", stranger, true},
		{"the first click", click("q", "d1"), true},
		{"the first click, delivered again", click("q", "d1"), true},
		{"the second click", click("q", "d2"), false},
		{"somebody else, later", stranger, false},
		{"never asked", click("never", "d3"), false},
		{"no question", click("", "d4"), false},
	} {
		want := release.Question{}
		if row.found {
			want = question("q")
		}
		if got, found, err := s.Take(t.Context(), row.click); err != nil || found != row.found || got != want {
			t.Errorf("%s: Take = %+v, %v, %v", row.name, got, found, err)
		}
	}
	if _, found, err := s.Take(t.Context(), click("other", "d5")); err != nil || !found {
		t.Errorf("the other question: %v, %v", found, err)
	}
	if _, found, err := s.Take(t.Context(), click("other", "")); err == nil || found {
		t.Errorf("a click of no delivery: %v, %v", found, err)
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
			_, found, err := stores[i%2].Take(t.Context(), click("q", fmt.Sprint(i)))
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
