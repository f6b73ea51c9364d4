package card

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/synestra/promoter/internal/release"
)

const noticeID = "01JD7ZK3V7Q8M2X5T6N4R1B0C9"

// released is a release of an app that went well.
func released(app string) release.Item {
	return release.Item{
		Update: "u-" + app, Kind: release.NoticeRelease, App: release.App(app), Environment: "prod",
		Application: "web-" + app + "-prod", How: release.HowCommit, From: "sha-1a2b3c4", To: "sha-9f8e7d6",
		Base: baseHash, Commit: commitHash, Subject: "release: " + app + " sha-9f8e7d6", Authors: []string{"Ana Lima"},
		At: start, Took: 41 * time.Second, Stage: release.StageHealthy, Hosts: []string{app + ".example.org"},
	}
}

func notice(items ...release.Item) release.Notice {
	n := release.Notice{ID: noticeID, Kind: release.NoticeRelease, Channel: "C012DEPLOY", Created: start, Items: items, Seq: 1}
	if len(items) > 0 {
		n.Kind = items[0].Kind
	}
	return n
}

func as(it release.Item, k release.NoticeKind, change func(*release.Item)) release.Item {
	it.Kind = k
	if change != nil {
		change(&it)
	}
	return it
}

func history(n, more int) *release.Changelog {
	c := &release.Changelog{More: more, Compare: "https://github.com/synestra/site/compare/1a2b3c4...9f8e7d6"}
	say := []string{"Show prices with tax", "Fix the footer on narrow screens", "checkout: retry a payment once", "Bump the CDN's timeout to 10 s", "Remove <blink>", "Tidy", "Tests for the cart", "i18n: Polish"}
	who := []string{"Ana Lima", "Bob Stone", "Chen Wei"}
	for i := range n {
		hash := release.Revision(fmt.Sprintf("%07x%033d", 0xabc0000+i, i))
		c.Commits = append(c.Commits, release.SourceCommit{
			Revision: hash, Subject: say[i%len(say)], Author: who[i%len(who)], URL: "https://github.com/synestra/site/commit/" + string(hash),
		})
	}
	return c
}

func failing() *release.Cause {
	return &release.Cause{
		Summary: "Deployment web-shop-prod: ProgressDeadlineExceeded",
		Pods:    []release.PodFailure{{Pod: "web-shop-7c9d-x2k", Reason: "CrashLoopBackOff", Message: "exit 1, 5 restarts: missing env `PAYMENTS_URL`"}},
	}
}

func chartRoll(count int) release.Notice {
	var items []release.Item
	for i := range count {
		items = append(items, as(released(fmt.Sprintf("app-%03d", i)), release.NoticeChart, func(it *release.Item) {
			it.How, it.From, it.To, it.Subject, it.Authors = release.HowChart, "sha-9f8e7d6", "sha-9f8e7d6", "chart: raise the memory limit", []string{"Dmitri"}
		}))
	}
	items[1].Stage, items[1].Cause = release.StageStillDegraded, failing()
	return notice(items...)
}

func day(n int) time.Time { return start.Add(-time.Duration(n) * 24 * time.Hour) }

func digestLines() []release.Line {
	return []release.Line{
		{App: "shop", Group: "ahead", From: "sha-1a2b3c4", To: "sha-9f8e7d6", Since: day(3)},
		{App: "blog", Group: "ahead", From: "v1.2.0", To: "v1.3.0", Since: start.Add(-5 * time.Hour)},
		{App: "docs", Group: "drift", Environment: "prod", From: "v2", To: "v3", Since: start.Add(-20 * time.Minute)},
		{App: "docs", Group: "session", Since: start.Add(-26 * time.Hour), Detail: "`web-docs-okteto` (image `okteto/node`)"},
		{App: "mail", Group: "hold", Since: day(2), Detail: "prod was rolled back from `v9` to `v8` by Ana Lima"},
		{App: "pay", Group: "failed", From: "v4", To: "v5", Since: day(1), Detail: "degraded: CrashLoopBackOff"},
		{App: "cart", Group: "drift", Environment: "dev", From: "v7", Detail: "a live session on `web-cart`"},
		{App: "news", Group: "unknown", Detail: "prod could not be looked at"},
	}
}

// notices are one of each kind, by the name of its golden file.
func notices() map[string]release.Notice {
	shop := released("shop")
	full := as(shop, release.NoticeRelease, func(it *release.Item) {
		it.Authors, it.Hosts = []string{"Ana Lima", "Bob Stone"}, []string{"shop.example.org", "www.shop.example.org"}
		it.Changelog = history(8, 12)
		it.Skipped = []release.Skipped{{Tag: "sha-2222222", Commit: newerHash, Authors: []string{"Bob Stone"}}}
		it.Dev = "dev is ahead of prod on `sha-7777777` and was left alone; `/reset-dev shop` brings it back"
	})
	failed := as(shop, release.NoticeRelease, func(it *release.Item) {
		it.Stage, it.Cause, it.Note = release.StageStillDegraded, failing(), "prod still serves `sha-1a2b3c4` from 4 pods"
	})
	recovered := as(shop, release.NoticeRelease, func(it *release.Item) { it.Recovered, it.Took = 4*time.Minute+10*time.Second, 0 })
	back := as(shop, release.NoticeRollback, func(it *release.Item) {
		it.From, it.To, it.How, it.By, it.Authors, it.Commit, it.Subject = it.To, it.From, release.HowSync, "ana@example.org", nil, "", ""
		it.Held = "prod was rolled back from `sha-9f8e7d6` to `sha-1a2b3c4`"
	})
	drift := as(shop, release.NoticeDrift, func(it *release.Item) {
		it.How, it.Stage, it.Commit, it.Subject, it.Authors, it.From, it.To = release.HowOutside, "", "", "", nil, "sha-1a2b3c4", "hotfix-2"
	})
	driftOver := as(drift, release.NoticeDrift, func(it *release.Item) { it.Over, it.Recovered = true, 12*time.Minute+5*time.Second })
	regression := as(shop, release.NoticeRegression, func(it *release.Item) {
		it.From, it.To, it.Authors, it.Subject, it.How = it.To, it.From, nil, "", ""
	})
	settings := as(shop, release.NoticeSettings, func(it *release.Item) {
		it.From, it.Subject = it.To, "shop: two more replicas for the sale"
	})
	outside := as(shop, release.NoticeRelease, func(it *release.Item) {
		it.How, it.Authors, it.Commit, it.Subject, it.From = release.HowOutside, nil, "", "", ""
	})
	aligned := as(shop, release.NoticeAlignment, func(it *release.Item) {
		*it = release.Item{
			Kind: release.NoticeAlignment, App: "shop", Environment: "dev", To: "sha-9f8e7d6", At: start, Application: "web-shop-dev",
			Dev: "dev has a live session, so it is aligned when that ends",
		}
	})
	bot := as(shop, release.NoticeRelease, func(it *release.Item) { it.Authors, it.Operation = []string{"Ana Lima"}, "01M86K632D7ED0E6GYB0HN5ZKW" })
	repeat := notice(shop)
	repeat.Repeat = true
	away := notice(released("shop"), failed, back, drift)
	away.Kind = release.NoticeSummary
	digest := release.Notice{ID: noticeID, Kind: release.NoticeDigest, Created: start, Lines: digestLines(), Apps: 40, Seq: 1}
	inSync := release.Notice{ID: noticeID, Kind: release.NoticeDigest, Created: start, Apps: 40, Seq: 1}
	reminder := release.Notice{ID: noticeID, Kind: release.NoticeReminder, Created: start, Seq: 1, Lines: []release.Line{
		{App: "shop", Group: "waiting", From: "sha-1a2b3c4", To: "sha-9f8e7d6", Since: day(5)},
		{App: "blog", Group: "waiting", From: "v1.2.0", To: "v1.3.0", Since: day(4)},
	}}
	api := released("api")
	api.Changelog = history(3, 0)
	return map[string]release.Notice{
		"notice_release": notice(shop), "notice_release_full": notice(full), "notice_release_by_bot": notice(bot),
		"notice_release_outside": notice(outside), "notice_failed": notice(failed), "notice_recovered": notice(recovered),
		"notice_rollback": notice(back), "notice_settings": notice(settings), "notice_chart": chartOne(),
		"notice_drift": notice(drift), "notice_drift_over": notice(driftOver), "notice_regression": notice(regression),
		"notice_alignment": notice(aligned), "notice_repeat": repeat,
		"notice_two": notice(full, api), "notice_three_one_failed": notice(shop, api, as(failed, release.NoticeRelease, func(it *release.Item) { it.App, it.Commit = "pay", newerHash })),
		"notice_chart_three": chartRoll(3), "notice_chart_40": chartRoll(40), "notice_chart_300": chartRoll(300),
		"notice_summary": away, "digest": digest, "digest_in_sync": inSync, "reminder": reminder,
	}
}

func chartOne() release.Notice {
	n := chartRoll(2)
	n.Items = n.Items[:1]
	return n
}

func TestNoticesGolden(t *testing.T) {
	t.Parallel()
	for name, n := range notices() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			checkGolden(t, name, printer().Notice(n))
		})
	}
}

// Every kind and group must have words of its own.
func TestNoticeWordsAreComplete(t *testing.T) {
	t.Parallel()
	say := english().notices
	for _, k := range []release.NoticeKind{
		release.NoticeRelease, release.NoticeRollback, release.NoticeSettings, release.NoticeChart, release.NoticeDrift,
		release.NoticeRegression, release.NoticeAlignment,
	} {
		title, ok := say.titles[k]
		if !ok || title.emoji == "" || title.say == "" || title.noFrom == "" || len(say.many[k]) == 0 {
			t.Errorf("no words for the kind %q", k)
		}
	}
	for _, g := range groupOrder() {
		if w := say.groups[g]; w.emoji == "" || w.say == "" {
			t.Errorf("no words for the group %q", g)
		}
	}
}

func TestWhoAndByWhatWay(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		it   release.Item
		want string
	}{
		{release.Item{How: release.HowCommit}, ""},
		{release.Item{How: release.HowCommit, Authors: []string{"Ana"}}, "by Ana"},
		{release.Item{How: release.HowCommit, Authors: []string{"Ana", "Bob"}}, "by Ana and Bob"},
		{release.Item{How: release.HowCommit, Authors: []string{"Ana", "Bob", "Ana", "", "Chen"}}, "by Ana, Bob and Chen"},
		{release.Item{How: release.HowCommit, Authors: []string{"Ana", "Bob", "Chen", "Dana"}}, "by Ana, Bob and 2 others"},
		{release.Item{How: release.HowCommit, Authors: []string{"Ana"}, Operation: "01M8"}, "by Ana through this bot"},
		{release.Item{How: release.HowCommit, Authors: []string{"Ana"}, By: "admin"}, "by Ana, synced by admin in Argo CD"},
		{release.Item{How: release.HowChart, Authors: []string{"Ana"}}, "by Ana"},
		{release.Item{How: release.HowSync}, "in Argo CD"},
		{release.Item{How: release.HowSync, By: "admin"}, "by admin in Argo CD"},
		{release.Item{How: release.HowOutside}, "outside Git"},
		{release.Item{How: release.HowOutside, By: "Bob"}, "by Bob outside Git"},
	} {
		if got := printer().from(row.it); got != row.want {
			t.Errorf("%+v: %q, want %q", row.it, got, row.want)
		}
	}
}

func TestSpans(t *testing.T) {
	t.Parallel()
	for d, want := range map[time.Duration]string{
		300 * time.Millisecond: "1 s", 41 * time.Second: "41 s", 12*time.Minute + 50*time.Second: "12 min",
		time.Hour: "1 hour", 26 * time.Hour: "26 hours", 48 * time.Hour: "2 days", 49 * 24 * time.Hour: "49 days",
	} {
		if got := printer().span(d); got != want {
			t.Errorf("%v: %q, want %q", d, got, want)
		}
	}
}

// A number and its noun agree.
func TestPluralsOfNotices(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		n    release.Notice
		want string
	}{
		{notice(released("a"), released("a")), "1 app updated in prod"},
		{notice(released("a"), released("b")), "2 apps updated in prod"},
		{release.Notice{Kind: release.NoticeDigest, Apps: 1}, "the 1 app is in sync"},
		{release.Notice{Kind: release.NoticeDigest, Apps: 2}, "all 2 apps are in sync"},
		{release.Notice{Kind: release.NoticeSummary, Items: []release.Item{released("a")}}, "away: 1 change"},
		{notice(as(released("a"), release.NoticeRelease, func(it *release.Item) { it.Changelog = history(1, 0) })), "*1 commit*"},
		{notice(as(released("a"), release.NoticeRelease, func(it *release.Item) { it.Changelog = history(1, 1) })), "*2 commits*"},
	} {
		if m := string(encode(t, printer().Notice(row.n))); !strings.Contains(m, row.want) {
			t.Errorf("does not say %q:\n%s", row.want, m)
		}
	}
}

// However many apps a message is about, it is sent as it is drawn, and accounts
// for each of them: by name, or in a number.
func TestAnyNumberOfAppsFits(t *testing.T) {
	t.Parallel()
	for _, count := range []int{2, 3, 4, 11, 60, 700} {
		for _, bad := range []int{0, 1, count} {
			n := chartRoll(count)
			for i := range n.Items {
				n.Items[i].Stage, n.Items[i].Changelog = release.StageHealthy, history(8, 12)
				if i < bad {
					n.Items[i].Stage, n.Items[i].Cause = release.StageStillDegraded, failing()
				}
			}
			for _, kind := range []release.NoticeKind{release.NoticeChart, release.NoticeSummary} {
				n.Kind = kind
				m := printer().Notice(n)
				checkMessage(t, m)
				all := string(encode(t, m))
				named := 0
				for i := range count {
					if strings.Contains(all, fmt.Sprintf("app-%03d", i)) {
						named++
					}
				}
				if named < min(count, 30) {
					t.Errorf("%s of %d apps, %d failed: only %d are named", kind, count, bad, named)
				}
				if named < count && !strings.Contains(all, fmt.Sprintf("… and %d more app", count-named)) {
					t.Errorf("%s of %d apps, %d failed: %d are named, and the rest is not counted:\n%s", kind, count, bad, named, all)
				}
			}
		}
	}
}

func TestAnyNumberOfRowsFits(t *testing.T) {
	t.Parallel()
	for _, count := range []int{1, 20, 60, 200} {
		n := release.Notice{ID: noticeID, Kind: release.NoticeDigest, Created: start, Apps: count * 3}
		for _, g := range []string{"waiting", "ahead", "failed"} {
			for i := range count {
				n.Lines = append(n.Lines, release.Line{App: release.App(fmt.Sprintf("%s-%03d", g, i)), Group: g, From: "sha-1a2b3c4", To: "sha-9f8e7d6", Since: day(i)})
			}
		}
		m := printer().Notice(n)
		checkMessage(t, m)
		all := string(encode(t, m))
		named := strings.Count(all, "• *")
		if named < min(3*count, 60) || named < 3*count && !strings.Contains(all, "more") {
			t.Errorf("%d of %d rows are shown:\n%s", named, 3*count, all)
		}
		if f, a := strings.Index(all, "Failed rollouts ·"), strings.Index(all, "Dev is ahead"); count < 60 && strings.Index(all, "*Failed rollouts*") > strings.Index(all, "*Dev is ahead") {
			t.Errorf("what failed does not come first (%d, %d)", f, a)
		}
	}
}

func checkNotices(t *testing.T, s string) {
	t.Helper()
	it := release.Item{
		Update: s, Kind: release.NoticeKind(s), App: release.App(s), Environment: s, Application: s, How: release.HowSync, From: release.Tag(s), To: release.Tag(s),
		Base: release.Revision(s), Commit: release.Revision(s), Subject: s, Authors: []string{s, s + "2", s + "3", s + "4"}, By: s, At: start, Took: time.Minute,
		Stage: release.Stage(s), Note: s, Cause: crashing(promotion(writing)).Progress.Cause, Hosts: []string{s, s}, Dev: s, Held: s,
	}
	it.Cause = &release.Cause{Summary: s}
	it.Changelog = &release.Changelog{Compare: "https://x.example/" + s, Note: s}
	for range 9 {
		it.Skipped = append(it.Skipped, release.Skipped{Tag: release.Tag(s), Authors: []string{s}, Note: s})
		it.Cause.Pods = append(it.Cause.Pods, release.PodFailure{Pod: s, Reason: s, Message: s})
		it.Cause.Resources = append(it.Cause.Resources, release.Resource{Kind: s, Name: s, Message: s})
		it.Changelog.Commits = append(it.Changelog.Commits, release.SourceCommit{Revision: release.Revision(s), Subject: s, Author: s, URL: "https://x.example/" + s})
	}
	commit := it
	commit.How, commit.By, commit.Stage, commit.Kind = release.HowCommit, "", release.StageSyncFailed, release.NoticeRelease
	drift := it
	drift.Kind, drift.Over, drift.Recovered = release.NoticeDrift, true, time.Hour
	for _, items := range [][]release.Item{{it}, {commit}, {drift}, {it, commit}, slices.Repeat([]release.Item{it, drift, commit}, 4)} {
		n := release.Notice{ID: s, Kind: release.NoticeRelease, Created: start, Items: items, Repeat: true}
		checkMessage(t, printer().Notice(n))
	}
	checkMessage(t, printer().Notice(release.Notice{ID: s, Kind: release.NoticeSummary, Created: start, Items: []release.Item{it, commit, drift}}))
	line := release.Line{App: release.App(s), Environment: s, Group: s, From: release.Tag(s), To: release.Tag(s), Since: day(1), Detail: s}
	known := line
	known.Group = "drift"
	for _, k := range []release.NoticeKind{release.NoticeDigest, release.NoticeReminder} {
		checkMessage(t, printer().Notice(release.Notice{ID: s, Kind: k, Created: start, Lines: slices.Repeat([]release.Line{line, known}, 2), Apps: 3}))
	}
}
