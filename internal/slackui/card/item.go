package card

import (
	"cmp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/synestra/promoter/internal/release"
)

// How much of an item is shown.
const (
	maxSkipped = 3
	maxCommits = 8
	maxName    = 60  // of a person
	maxSubject = 120 // of a commit
	maxAddress = 400 // of a link inside text; a button's may be longer
	maxPodList = 3   // of a cause that is told on one line each
)

// itemLine says what happened to an app, and how it stands.
func (p Printer) itemLine(it release.Item) string {
	return p.itemEmoji(it) + " " + joined(" · ", p.itemTitle(it), p.itemState(it), p.itemSpan(it))
}

// itemPlain is the same for notifications, with who did it.
func (p Printer) itemPlain(it release.Item) string {
	s := p.itemTitle(it)
	if !warns(it) || it.Over {
		s = joined(", ", s, p.itemState(it))
	}
	if it.Kind == release.NoticeAlignment {
		s = joined(": ", s, sentence(it.Dev))
	}
	return p.itemEmoji(it) + " " + plain(joined(", ", s, p.from(it)))
}

func (p Printer) noticeTitle(k release.NoticeKind) noticeTitle {
	if t, ok := p.say.notices.titles[k]; ok {
		return t
	}
	return p.say.notices.otherTitle
}

// warns tells the kinds that warn of a state from those that tell of a change.
func warns(it release.Item) bool {
	return it.Kind == release.NoticeDrift || it.Kind == release.NoticeRegression
}

// itemEmoji is the same state wherever it is shown: a failure looks as that of
// an operation does.
func (p Printer) itemEmoji(it release.Item) string {
	switch {
	case it.Over:
		return "✅"
	case warns(it), it.Stage == "", it.Stage == release.StageHealthy:
		return p.noticeTitle(it.Kind).emoji
	}
	return p.stage(it.Stage).emoji
}

func (p Printer) itemTitle(it release.Item) string {
	t := p.noticeTitle(it.Kind)
	say := t.say
	switch {
	case it.Over && t.over != "":
		say = t.over
	case it.From == "":
		say = t.noFrom
	}
	return with(say, "app", foreign(string(it.App)), "env", foreign(it.Environment), "from", code(string(it.From)), "to", code(string(it.To)))
}

// itemState is how it stands, in a word or two.
func (p Printer) itemState(it release.Item) string {
	say := p.say.notices
	switch {
	case it.Over && max(it.Recovered, it.Took) > 0:
		return "*" + with(say.overAfter, "span", p.span(cmp.Or(it.Recovered, it.Took))) + "*"
	case it.Over:
		return "*" + say.over + "*"
	case warns(it) && it.At.IsZero():
		return ""
	case warns(it):
		return with(p.say.since, "time", moment(it.At))
	case it.Stage == "":
		return ""
	}
	return "*" + p.stage(it.Stage).say + "*"
}

// itemSpan is how long it took.
func (p Printer) itemSpan(it release.Item) string {
	switch {
	case warns(it):
		return ""
	case it.Recovered > 0:
		return with(p.say.notices.recovered, "span", p.span(it.Recovered))
	case it.Took >= time.Second && it.Stage == release.StageHealthy:
		return with(p.say.took, "duration", duration(it.Took))
	}
	return ""
}

// from is who did it, and by what way.
func (p Printer) from(it release.Item) string {
	say := p.say.notices
	asked, authors := p.names([]string{it.By}), p.names(it.Authors)
	switch it.How {
	case release.HowSync:
		if asked == "" {
			return say.inArgo
		}
		return with(say.byInArgo, "name", asked)
	case release.HowOutside:
		if asked == "" {
			return say.outside
		}
		return with(say.byOutside, "name", asked)
	}
	sentence := say.by
	if it.Operation != "" {
		sentence = say.throughBot
	}
	var parts []string
	if authors != "" {
		parts = append(parts, with(sentence, "name", authors))
	}
	if asked != "" {
		parts = append(parts, with(say.syncedBy, "name", asked))
	}
	return strings.Join(parts, ", ")
}

// names lists people: "Ana, Bob and 2 others".
func (p Printer) names(people []string) string {
	var shown []string
	for _, name := range people {
		if name = clipMarkup(foreign(name), maxName); name != "" && !slices.Contains(shown, name) {
			shown = append(shown, name)
		}
	}
	say := p.say.notices
	switch n := len(shown); {
	case n < 2:
		return strings.Join(shown, "")
	case n < 4:
		return with(say.twoNames, "name", strings.Join(shown[:n-1], ", "), "last", shown[n-1])
	default:
		return say.number(say.manyNames, n-2, "names", strings.Join(shown[:2], ", "))
	}
}

// subject is the commit that was deployed, as its author describes it.
func (p Printer) subject(it release.Item) string {
	subject := clipMarkup(foreign(it.Subject), maxSubject)
	if it.Commit == "" || subject == "" {
		return ""
	}
	return p.commit(it.Commit) + " " + subject
}

// hosts are the addresses at which the app is to be seen.
func (p Printer) hosts(it release.Item) string {
	var shown []string
	for _, h := range it.Hosts {
		if page := "https://" + h; isWeb(page) && len(page) <= maxAddress {
			shown = append(shown, link(page, foreign(h)))
		}
	}
	if shown == nil {
		return ""
	}
	return "🌐 " + strings.Join(shown, " · ")
}

// pages are what to look at further. The difference in the app's own source
// tells more than that of the layer, which is one line.
func (p Printer) pages(it release.Item) []address {
	compare := p.links.compare(it.Base, it.Commit)
	if c := it.Changelog; c != nil && isWeb(c.Compare) {
		compare = c.Compare
	}
	return []address{
		{"argocd", p.say.buttonArgo, p.links.application(it.Application)},
		{"commit", p.say.buttonCommit, p.links.commit(it.Commit)},
		{"compare", p.say.buttonCompare, compare},
	}
}

// itemNotes are what people should know besides, a line each. explained says
// that what the kind means is said elsewhere.
func (p Printer) itemNotes(it release.Item, explained bool) string {
	say := p.say.notices
	var lines []string
	add := func(emoji, line string) {
		if line = sentence(line); line != "" {
			lines = append(lines, emoji+" "+clipMarkup(capital(line), 400))
		}
	}
	add("ℹ️", it.Note)
	if !it.Over && !explained {
		add("ℹ️", p.noticeTitle(it.Kind).explain)
	}
	for _, s := range it.Skipped[:min(len(it.Skipped), maxSkipped)] {
		lines = append(lines, "⏭️ "+p.skipped(s))
	}
	if rest := len(it.Skipped) - maxSkipped; rest > 0 {
		lines = append(lines, with(p.say.more, "count", strconv.Itoa(rest)))
	}
	if it.Held != "" {
		add("🔒", with(say.held, "reason", strings.TrimSuffix(it.Held, ".")))
	}
	add("🧪", it.Dev)
	return strings.Join(lines, "\n")
}

func (p Printer) skipped(s release.Skipped) string {
	say, what := p.say.notices.superseded, code(string(s.Tag))
	if s.Tag == "" && s.Commit != "" {
		what = p.commit(s.Commit)
	}
	who := p.names(s.Authors)
	if who != "" {
		say = p.say.notices.supersededBy
	}
	line := with(say, "tag", what, "name", who)
	if note := clipMarkup(sentence(s.Note), 200); note != "" {
		line += " · " + note
	}
	return line
}

// changelog lists what a release brings, in one section.
func (p Printer) changelog(c *release.Changelog) string {
	if c == nil {
		return ""
	}
	if len(c.Commits) == 0 {
		if note := sentence(c.Note); note != "" {
			return "ℹ️ " + clipMarkup(capital(note), 400)
		}
		return ""
	}
	total := len(c.Commits) + c.More
	lines := []string{"*" + p.say.notices.number(p.say.notices.commits, total) + "*"}
	size, listed := length(lines[0]), 0
	for _, commit := range c.Commits[:min(len(c.Commits), maxCommits)] {
		line := p.sourceCommit(commit)
		if size += length(line) + 1; size > maxSection-100 {
			break
		}
		lines = append(lines, line)
		listed++
	}
	if rest := total - listed; rest > 0 {
		lines = append(lines, with(p.say.more, "count", strconv.Itoa(rest)))
	}
	return strings.Join(lines, "\n")
}

func (p Printer) sourceCommit(c release.SourceCommit) string {
	hash := code(c.Revision.Short())
	if len(c.URL) <= maxAddress && isWeb(c.URL) {
		hash = link(c.URL, escape(release.Plain(c.Revision.Short())))
	}
	return "• " + joined(" · ", hash+" "+clipMarkup(foreign(c.Subject), maxSubject), p.names([]string{c.Author}))
}

// span is how long something lasted, as people say it.
func (p Printer) span(d time.Duration) string {
	say := p.say.notices
	s := say.spans
	switch {
	case d < time.Minute:
		return say.number(s.seconds, max(1, int(d.Round(time.Second).Seconds())))
	case d < time.Hour:
		return say.number(s.minutes, int(d.Minutes()))
	case d < 48*time.Hour:
		return say.number(s.hours, int(d.Hours()))
	}
	return say.number(s.days, int(d.Hours()/24))
}
