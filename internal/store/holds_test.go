package store

import (
	"fmt"
	"reflect"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/synestra/promoter/internal/release"
)

func TestHold(t *testing.T) {
	path := file(t)
	s := open(t, path)
	l := leader(t, s, "me")
	put := func(r release.Record) {
		t.Helper()
		must(t, s.Record(t.Context(), "automation", l, r))
	}
	web, shop := filled[release.Hold](), release.Hold{App: "shop", Since: at}
	web.App = "web"
	put(release.Record{Hold: &release.Hold{App: "web", Reason: "an earlier one"}})
	put(release.Record{Hold: &web})
	put(release.Record{Hold: &shop})
	must(t, s.Close())
	s = open(t, path)
	holds := func(want ...release.Hold) {
		t.Helper()
		got, err := s.Holds(t.Context())
		if err != nil || len(got) != len(want) || len(want) > 0 && !reflect.DeepEqual(got, want) {
			t.Errorf("Holds = %+v, %v, want %+v", got, err, want)
		}
	}
	holds(shop, web)
	if h, found, err := s.Hold(t.Context(), "web"); err != nil || !found || h != web {
		t.Errorf("Hold = %+v, %v, %v", h, found, err)
	}
	for _, c := range []struct {
		delivery string
		want     bool
	}{{"d1", true}, {"d2", false}, {"d1", true}} { // d1 is delivered again after a crash
		if h, lifted, err := s.Lift(t.Context(), "web", c.delivery); err != nil || lifted != c.want || lifted && h != web {
			t.Errorf("Lift for %s = %+v, %v, %v, want %v", c.delivery, h, lifted, err, c.want)
		}
	}
	if _, _, err := s.Lift(t.Context(), "web", ""); err == nil {
		t.Error("a request that cannot be known again lifts")
	}
	if h, found, err := s.Hold(t.Context(), "web"); err != nil || found {
		t.Errorf("Hold after Lift = %+v, %v, %v", h, found, err)
	}
	put(release.Record{Lift: "web"}) // lifts nothing
	holds(shop)
	put(release.Record{Hold: &web}) // another one
	holds(shop, web)
	put(release.Record{Hold: &web, Lift: "shop"})
	holds(web)
	put(release.Record{Hold: &web, Lift: "web"}) // in doubt it is held
	holds(web)
}

func TestLiftFromManySides(t *testing.T) {
	path := file(t)
	stores := []*Store{open(t, path), open(t, path)}
	must(t, stores[0].Record(t.Context(), "automation", leader(t, stores[0], "me"), release.Record{Hold: &release.Hold{App: "web"}}))
	var lifted atomic.Int32
	var all sync.WaitGroup
	for i := range 20 {
		all.Go(func() {
			_, ok, err := stores[i%2].Lift(t.Context(), "web", fmt.Sprint("d", i))
			if err != nil {
				t.Error(err)
			}
			if ok {
				lifted.Add(1)
			}
		})
	}
	all.Wait()
	if n := lifted.Load(); n != 1 {
		t.Errorf("it was lifted %d times", n)
	}
}
