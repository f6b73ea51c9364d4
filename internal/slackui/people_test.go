package slackui

import (
	"errors"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/slack-go/slack"

	"github.com/synestra/promoter/internal/release"
	sandbox "github.com/synestra/promoter/internal/sandbox/slack"
)

func TestPerson(t *testing.T) {
	b := newBench(t, sandbox.Options{})
	b.AddUser(sandbox.User{ID: "U0SINGLE", Name: "single", SingleChannel: true})
	b.AddUser(sandbox.User{ID: "U0ROBOT", Name: "robot", Bot: true})
	b.AddUser(sandbox.User{ID: "U0LEFT", Name: "left", Deleted: true})
	b.AddUser(sandbox.User{ID: "U0STRANGER", Name: "stranger", Stranger: true, Team: "T0OTHER"})
	b.AddUser(sandbox.User{ID: "U0OTHER", Name: "other", Team: "T0OTHER"})
	b.AddUser(sandbox.User{ID: "U0BARE", Name: "bare"})
	u := b.ready()
	for _, row := range []struct {
		id   string
		want release.Person
	}{
		{ana, release.Person{ID: ana, Name: "Ana Lima", Groups: []string{deployer}}},
		{"U0BARE", release.Person{ID: "U0BARE", Name: "bare"}},
		{guest, release.Person{ID: guest, Name: "Gus Guest", Outsider: "a guest"}},
		{"U0SINGLE", release.Person{ID: "U0SINGLE", Name: "single", Outsider: "a guest"}},
		{"U0ROBOT", release.Person{ID: "U0ROBOT", Name: "robot", Outsider: "a bot"}},
		{"U0LEFT", release.Person{ID: "U0LEFT", Name: "left", Outsider: "deactivated"}},
		{"U0STRANGER", release.Person{ID: "U0STRANGER", Name: "stranger", Outsider: "of another organisation"}},
		{"U0OTHER", release.Person{ID: "U0OTHER", Name: "other", Outsider: "of another workspace"}},
		{"U0NOBODY", release.Person{ID: "U0NOBODY", Outsider: "not a member of this workspace"}},
	} {
		got, err := u.Person(t.Context(), release.Person{ID: row.id, Name: "as typed"})
		if err != nil || got.ID != row.want.ID || got.Name != row.want.Name || got.Outsider != row.want.Outsider || !slices.Equal(got.Groups, row.want.Groups) {
			t.Errorf("%s is %+v, %v, want %+v", row.id, got, err, row.want)
		}
	}
}

func TestOutsider(t *testing.T) {
	t.Parallel()
	m := slack.User{ID: "U1", TeamID: "T2", Enterprise: slack.EnterpriseUser{Teams: []string{"T1", "T2"}}}
	if why := outsider(m, "T1"); why != "" {
		t.Errorf("a member of our workspace too is %s", why)
	}
	if why := outsider(slack.User{ID: "U1", TeamID: "T1", IsUltraRestricted: true}, "T1"); why != "a guest" {
		t.Errorf("a single-channel guest is %q", why)
	}
	if why := outsider(m, "T3"); why == "" {
		t.Error("a member of other workspaces only is none of ours")
	}
}

func TestUnreadablePersonIsAnError(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name   string
		breaks func(b *bench)
	}{
		{"users.info fails", func(b *bench) { b.FailNext("users.info", 3, sandbox.Fault{Status: 500}) }},
		{"users:read is missing", func(b *bench) { b.MissingScope("users.info", "users:read") }},
		{"usergroups.list fails", func(b *bench) { b.FailNext("usergroups.list", 3, sandbox.Fault{Error: "internal_error"}) }},
		{"usergroups:read is missing", func(b *bench) { b.MissingScope("usergroups.list", "usergroups:read") }},
		{"the bot's workspace is not known", func(b *bench) { b.FailNext("auth.test", 3, sandbox.Fault{Status: 500}) }},
	} {
		t.Run(row.name, func(t *testing.T) {
			b := newBench(t, sandbox.Options{})
			row.breaks(b)
			if got, err := b.ready().Person(t.Context(), release.Person{ID: ana}); err == nil {
				t.Errorf("%+v and no error", got)
			}
		})
	}
}

func TestGroupsAreNotAskedForInVain(t *testing.T) {
	b := newBench(t, sandbox.Options{})
	b.cfg.Groups = false
	b.MissingScope("usergroups.list", "usergroups:read")
	if got, err := b.ready().Person(t.Context(), release.Person{ID: ana}); err != nil || got.Groups != nil {
		t.Errorf("%+v, %v", got, err)
	}
}

func TestPersonsAreAskedForOnceAMinute(t *testing.T) {
	b := newBench(t, sandbox.Options{})
	u := b.ready()
	b.FailNext("users.info", 1, sandbox.Fault{Status: 503}) // which is asked again
	for range 5 {
		if _, err := u.Person(t.Context(), release.Person{ID: ana}); err != nil {
			t.Fatal(err)
		}
	}
	if users, groups := b.Calls("users.info"), b.Calls("usergroups.list"); users != 2 || groups != 1 {
		t.Errorf("%d and %d calls, want 2 and 1", users, groups)
	}
}

func TestCache(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var c cache[int]
		asked := 0
		ask := func() (int, error) {
			asked++
			time.Sleep(time.Second)
			return asked, nil
		}
		var all sync.WaitGroup
		for range 5 { // at the same time
			all.Go(func() {
				if v, err := c.read("k", ask); v != 1 || err != nil {
					t.Errorf("%d, %v", v, err)
				}
			})
		}
		all.Wait()
		time.Sleep(lookUpAge - 2*time.Second)
		if v, _ := c.read("k", ask); v != 1 {
			t.Errorf("asked again within %v", lookUpAge)
		}
		time.Sleep(3 * time.Second)
		if v, _ := c.read("k", ask); v != 2 {
			t.Error("an old answer is still believed")
		}
		if _, err := c.read("bad", func() (int, error) { return 0, errors.New("no") }); err == nil {
			t.Error("no error")
		}
		if v, err := c.read("bad", func() (int, error) { return 7, nil }); v != 7 || err != nil {
			t.Errorf("an error was kept: %d, %v", v, err)
		}
	})
}
