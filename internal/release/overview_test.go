package release

import "testing"

func seen(tag Tag, change func(*Sight)) Sight {
	s := Sight{Environment: "prod", Git: Content{Tag: tag, Repository: "web"}, Snapshot: &Snapshot{
		Sync: "Synced", Health: "Healthy", Images: []string{"redis:7", "web:" + string(tag)},
	}}
	if change != nil {
		change(&s)
	}
	return s
}

func TestOverview(t *testing.T) {
	for _, c := range []struct {
		name      string
		prod, dev func(*Sight)
		running   []Operation
		want      Status
		why       string
		hot       bool
	}{
		{"in sync", nil, nil, nil, StatusInSync, "", false},
		{"ahead", nil, func(s *Sight) { *s = seen("sha-2", nil) }, nil, StatusAhead, "", false},
		{"degraded", func(s *Sight) { s.Snapshot.Health = "Degraded" }, nil, nil, StatusBroken, "prod Degraded", false},
		{"dev degraded", nil, func(s *Sight) { s.Snapshot.Health = "Degraded" }, nil, StatusBroken, "dev Degraded", false},
		{"no readable tag", func(s *Sight) { s.Git.Tag = "" }, nil, nil, StatusBroken, "prod's layer has no readable tag", false},
		{"prod drifted", func(s *Sight) { s.Snapshot.Sync = "OutOfSync" }, nil, nil, StatusBroken, "prod OutOfSync", false},
		{"dev drifted", nil, func(s *Sight) { s.Snapshot.Sync = "OutOfSync" }, nil, StatusHot, "dev OutOfSync", true},
		{"not seen", func(s *Sight) { s.Snapshot = nil }, nil, nil, StatusUnknown, "prod is not seen", false},
		{"not compared", func(s *Sight) { s.Snapshot.Sync = "Unknown" }, nil, nil, StatusUnknown, "prod Unknown, Healthy", false},
		{"nothing said", func(s *Sight) { s.Snapshot.Sync, s.Snapshot.Health = "", "" }, nil, nil, StatusUnknown, "prod Unknown, Unknown", false},
		{"Git is ahead of the cluster", func(s *Sight) { s.Snapshot.Images = []string{"web:sha-0", "redis:sha-1"} }, nil, nil, StatusUnknown, "prod is not seen to run its tag", false},
		{"syncing", func(s *Sight) { s.Snapshot.Requested, s.Snapshot.Sync = &SyncRequest{}, "OutOfSync" }, nil, nil, StatusMoving, "prod syncing", false},
		{"progressing", nil, func(s *Sight) { s.Snapshot.Health = "Progressing" }, nil, StatusMoving, "dev Progressing", false},
		{"in dev only", func(s *Sight) { s.Missing = true }, nil, nil, StatusAhead, "no release layer for prod", false},
		{"an operation", nil, nil, []Operation{{Kind: KindPromote, Progress: Progress{Stage: StageRollingOut}}}, StatusMoving, "promote rolling out", false},
	} {
		o := Overview{App: "shop", Prod: seen("sha-1", c.prod), Dev: seen("sha-1", c.dev), Running: c.running}
		o.Dev.Environment = "dev"
		got, why := o.Status()
		if got != c.want || why != c.why || o.Hot() != c.hot {
			t.Errorf("%s: %d, %q, hot %v; want %d, %q, %v", c.name, got, why, o.Hot(), c.want, c.why, c.hot)
		}
	}
}

func TestSortOverviews(t *testing.T) {
	all := []Overview{
		{App: "c", Prod: seen("sha-1", nil), Dev: seen("sha-1", nil)},
		{App: "b", Prod: seen("sha-1", nil), Dev: seen("sha-2", nil)},
		{App: "d", Prod: seen("sha-1", func(s *Sight) { s.Snapshot.Health = "Degraded" }), Dev: seen("sha-2", nil)},
		{App: "a", Prod: seen("sha-1", nil), Dev: seen("sha-1", nil)},
	}
	SortOverviews(all)
	var order string
	for _, o := range all {
		order += string(o.App)
	}
	if order != "dbac" {
		t.Errorf("order %q", order)
	}
}
