package argocd

import (
	"log/slog"
	"testing"

	"github.com/synestra/promoter/internal/release"
)

// unconnected is a client whose server is never asked.
func unconnected(t *testing.T) *Client {
	t.Helper()
	c, err := Dial(Config{
		Server: "127.0.0.1:1", Plaintext: true, Token: fixed("t"), Log: slog.New(slog.DiscardHandler),
		Applications: func(string) bool { return true },
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}

func version(rv int64, uid string) release.Snapshot {
	return release.Snapshot{Name: "web", UID: uid, ResourceVersion: rv}
}

func TestLearn(t *testing.T) {
	type step struct {
		e     entry
		truth bool // from the Kubernetes API
	}
	tests := map[string]struct {
		steps []step
		want  release.Snapshot
		gone  bool
	}{
		"newer wins":                    {[]step{{e: entry{version(5, "a"), false}}, {e: entry{version(6, "a"), false}}}, version(6, "a"), false},
		"older is dropped":              {[]step{{e: entry{version(5, "a"), false}}, {e: entry{version(4, "a"), false}}}, version(5, "a"), false},
		"older truth is dropped":        {[]step{{e: entry{version(5, "a"), false}}, {entry{version(4, "a"), false}, true}}, version(5, "a"), false},
		"made anew":                     {[]step{{e: entry{version(5, "a"), false}}, {e: entry{version(6, "b"), false}}}, version(6, "b"), false},
		"old object from a lagging one": {[]step{{e: entry{version(6, "b"), false}}, {e: entry{version(5, "a"), false}}}, version(6, "b"), false},
		"truth of another object":       {[]step{{e: entry{version(6, "a"), false}}, {entry{version(5, "b"), false}, true}}, version(5, "b"), false},
		"deleted at its last version":   {[]step{{e: entry{version(5, "a"), false}}, {e: entry{version(5, "a"), true}}}, version(5, "a"), true},
		"deleted stays deleted":         {[]step{{e: entry{version(5, "a"), true}}, {e: entry{version(5, "a"), false}}, {e: entry{version(4, "a"), false}}}, version(5, "a"), true},
		"deleted, made anew":            {[]step{{e: entry{version(5, "a"), true}}, {e: entry{version(9, "b"), false}}}, version(9, "b"), false},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			c := unconnected(t)
			for _, s := range test.steps {
				if s.truth {
					c.learnTruth(s.e.snapshot)
				} else {
					c.learn(s.e)
				}
			}
			got := c.known["web"]
			if got.snapshot.UID != test.want.UID || got.snapshot.ResourceVersion != test.want.ResourceVersion || got.gone != test.gone {
				t.Errorf("got %+v", got)
			}
			if n := len(c.Known()); (n == 0) != test.gone {
				t.Errorf("Known has %d", n)
			}
		})
	}
}

func TestLearnTellsNews(t *testing.T) {
	c := unconnected(t)
	for i, test := range []struct {
		rv   int64
		news bool
	}{{5, false}, {5, false}, {4, false}, {6, true}} {
		if got := c.learn(entry{snapshot: version(test.rv, "a")}); got != test.news {
			t.Errorf("%d: version %d is news: %t", i, test.rv, got)
		}
	}
}

// next is the snapshot that is there already.
func next(t *testing.T, snapshots <-chan release.Snapshot) release.Snapshot {
	t.Helper()
	select {
	case s := <-snapshots:
		return s
	default:
		t.Fatal("there is no snapshot")
		return release.Snapshot{}
	}
}

func TestFollow(t *testing.T) {
	c := unconnected(t)
	early, stopEarly := c.Follow("web")
	select {
	case s := <-early:
		t.Fatalf("%+v before anything is known", s)
	default:
	}
	for rv := range int64(3) {
		c.learn(entry{snapshot: version(rv+1, "a")})
	}
	if s := next(t, early); s.ResourceVersion != 3 {
		t.Errorf("version %d, want the newest", s.ResourceVersion)
	}
	late, stopLate := c.Follow("web")
	defer stopLate()
	if s := next(t, late); s.ResourceVersion != 3 {
		t.Errorf("version %d, want the known one at once", s.ResourceVersion)
	}
	c.learn(entry{snapshot: version(2, "a")}) // old: tells nobody
	stopEarly()
	stopEarly() // harmless
	c.learn(entry{snapshot: version(4, "a")})
	select {
	case s := <-early:
		t.Errorf("%+v after stop", s)
	default:
	}
	if s := next(t, late); s.ResourceVersion != 4 {
		t.Errorf("version %d", s.ResourceVersion)
	}
	c.vanished("web", "b") // another object's end
	select {
	case s := <-late:
		t.Errorf("%+v", s)
	default:
	}
	c.vanished("web", "a")
	if s := next(t, late); !s.Deleted {
		t.Errorf("%+v, want it deleted", s)
	}
	stopLate()
	if len(c.followers) != 0 {
		t.Errorf("followers left: %v", c.followers)
	}
}

func TestMissing(t *testing.T) {
	c := unconnected(t)
	for name, e := range map[string]entry{
		"listed": {version(1, "a"), false}, "not listed": {version(1, "b"), false}, "gone": {version(1, "c"), true},
		"another": {version(1, "d"), false}, "gone, listed anew": {version(9, "e"), true},
	} {
		e.snapshot.Name = name
		c.learn(e)
	}
	got := c.missing(map[string]string{"listed": "a", "another": "x", "gone, listed anew": "y"})
	if len(got) != 3 || got["not listed"] != "b" || got["another"] != "d" || got["gone, listed anew"] != "e" {
		t.Errorf("missing %v", got)
	}
}
