package card

import (
	"slices"
	"strconv"
	"strings"

	"github.com/slack-go/slack"

	"github.com/synestra/promoter/internal/release"
)

// With more apps than this in a message, each is shown with less.
const (
	mostInFull  = 3
	mostInParts = 10
)

// several is what happened to some apps at once, each with as much as there is
// room for.
func (p Printer) several(n release.Notice) Message {
	same := p.same(n.Items)
	head, foot := section(p.header(n, same)), p.noticeFoot(n, same.who)
	frame := func(body []slack.Block) []slack.Block {
		return append(append([]slack.Block{head}, body...), foot)
	}
	return fit(Message{Text: p.severalPlain(n), Blocks: frame(p.body(n.Items, same, frame))})
}

// summary is what happened while nobody looked: only lines.
func (p Printer) summary(n release.Notice) Message {
	title := "🗓️ *" + p.say.notices.number(p.say.notices.away, len(n.Items)) + "*"
	if bad := p.badCount(n.Items); bad != "" {
		title += " · *" + bad + "*"
	}
	head, foot := section(title), p.noticeFoot(release.Notice{ID: n.ID, Created: n.Created, Repeat: n.Repeat}, "")
	blocks := append([]slack.Block{head}, append(p.lines(n.Items, shared{}, true), foot)...)
	if !fits(blocks) {
		blocks = append([]slack.Block{head}, append(p.briefly(n.Items), foot)...)
	}
	return fit(Message{Text: plain(title), Blocks: blocks})
}

// body is the fullest picture of the items that a message has room for.
func (p Printer) body(items []release.Item, same shared, frame func([]slack.Block) []slack.Block) []slack.Block {
	if len(items) <= mostInFull {
		if body := p.sections(items, same, true); fits(frame(body)) {
			return body
		}
	}
	if len(items) <= mostInParts {
		if body := p.sections(items, same, false); fits(frame(body)) {
			return body
		}
	}
	if body := p.lines(items, same, false); fits(frame(body)) {
		return body
	}
	return p.briefly(items)
}

// shared is what all items have in common, so that it is said once.
type shared struct {
	commit release.Revision
	who    string
	kind   release.NoticeKind
}

func (p Printer) same(items []release.Item) shared {
	if len(items) == 0 {
		return shared{}
	}
	s := shared{items[0].Commit, p.from(items[0]), items[0].Kind}
	for _, it := range items {
		if it.Commit != s.commit {
			s.commit = ""
		}
		if p.from(it) != s.who {
			s.who = ""
		}
		if it.Kind != s.kind {
			s.kind = ""
		}
	}
	return s
}

// header says how many apps it is about.
func (p Printer) header(n release.Notice, same shared) string {
	line := p.headerEmoji(n.Items) + " *" + p.headerCount(n.Items, same.kind) + "*"
	if same.commit != "" {
		line += " " + with(p.say.notices.byCommit, "commit", p.commit(same.commit))
		if subject := clipMarkup(foreign(n.Items[0].Subject), maxSubject); subject != "" {
			line += " · " + subject
		}
	}
	if bad := p.badCount(n.Items); bad != "" {
		line += " · *" + bad + "*"
	}
	if slices.ContainsFunc(n.Items, func(it release.Item) bool { return !it.Over }) {
		line = joined("\n", line, p.noticeTitle(same.kind).explain)
	}
	return line
}

func (p Printer) headerCount(items []release.Item, kind release.NoticeKind) string {
	say := p.say.notices
	apps := map[release.App]bool{}
	var envs []string
	for _, it := range items {
		apps[it.App] = true
		if env := foreign(it.Environment); !slices.Contains(envs, env) {
			envs = append(envs, env)
		}
	}
	phrase := say.otherMany
	if f, ok := say.many[kind]; ok {
		phrase = f
	}
	return say.number(phrase, len(apps), "env", strings.Join(envs, ", "))
}

// headerEmoji is that of all, or a warning if some failed.
func (p Printer) headerEmoji(items []release.Item) string {
	var each []string
	bad := 0
	for _, it := range items {
		each = append(each, p.itemEmoji(it))
		if failed(it) {
			bad++
		}
	}
	slices.Sort(each)
	switch each = slices.Compact(each); {
	case len(each) == 1:
		return each[0]
	case bad > 0:
		return "⚠️"
	}
	return p.say.notices.otherTitle.emoji
}

func failed(it release.Item) bool { return it.Stage.Failed() && !it.Over && !warns(it) }

func (p Printer) badCount(items []release.Item) string {
	bad := 0
	for _, it := range items {
		if failed(it) {
			bad++
		}
	}
	if bad == 0 {
		return ""
	}
	return p.say.notices.number(p.say.notices.failed, bad)
}

func (p Printer) severalPlain(n release.Notice) string {
	var apps []string
	for _, it := range n.Items {
		if app := foreign(string(it.App)); !slices.Contains(apps, app) {
			apps = append(apps, app)
		}
	}
	text := p.headerEmoji(n.Items) + " " + p.headerCount(n.Items, p.same(n.Items).kind)
	if len(apps) > 0 {
		text += ": " + clipMarkup(strings.Join(apps, ", "), 200)
	}
	return plain(joined(" · ", text, p.badCount(n.Items)))
}

// sections are a section for each item.
func (p Printer) sections(items []release.Item, same shared, full bool) []slack.Block {
	var blocks []slack.Block
	for _, it := range items {
		blocks = append(blocks, section(p.part(it, same, full)))
	}
	return blocks
}

// part is an item among others.
func (p Printer) part(it release.Item, same shared, full bool) string {
	from := p.from(it)
	if same.who != "" {
		from = ""
	}
	var pages []string
	for _, a := range p.pages(it) {
		if a.name == "commit" && same.commit != "" || len(a.url) > maxAddress || !isWeb(a.url) {
			continue
		}
		pages = append(pages, link(a.url, a.label))
	}
	subject := ""
	if same.commit == "" {
		subject = p.subject(it)
	}
	log := p.changelog(it.Changelog)
	if !full {
		log = p.changelogCount(it.Changelog)
	}
	return joined("\n", p.itemLine(it), subject, p.hosts(it), joined(" · ", append([]string{from}, pages...)...),
		p.causeLines(it.Cause), p.itemNotes(it, same.kind != ""), log)
}

// changelogCount is a changelog in a few words.
func (p Printer) changelogCount(c *release.Changelog) string {
	if c == nil || len(c.Commits) == 0 {
		return ""
	}
	var authors []string
	for _, commit := range c.Commits {
		authors = append(authors, commit.Author)
	}
	count := p.say.notices.number(p.say.notices.commits, len(c.Commits)+c.More)
	if c.More > 0 {
		return count // who wrote the others is not known
	}
	return joined(" ", count, p.byNames(authors))
}

func (p Printer) byNames(people []string) string {
	if names := p.names(people); names != "" {
		return with(p.say.notices.by, "name", names)
	}
	return ""
}

// causeLines are why an item fails, for the inside of a section.
func (p Printer) causeLines(c *release.Cause) string {
	if c == nil {
		return ""
	}
	lines := []string{clipMarkup(foreign(c.Summary), maxCauseText)}
	add := func(name, reason, message string) {
		said := joined(": ", foreign(reason), foreign(message))
		lines = append(lines, clipMarkup(joined(" ", "• "+code(name), said), maxCauseText))
	}
	for _, pod := range c.Pods[:min(len(c.Pods), maxPodList)] {
		add(pod.Pod, pod.Reason, pod.Message)
	}
	for _, r := range c.Resources[:min(len(c.Resources), maxPodList)] {
		add(r.Kind+" "+r.Name, r.Health, r.Message)
	}
	if rest := max(0, len(c.Pods)-maxPodList) + max(0, len(c.Resources)-maxPodList); rest > 0 {
		lines = append(lines, with(p.say.more, "count", strconv.Itoa(rest)))
	}
	return joined("\n", lines...)
}

// lines are a line for each item.
func (p Printer) lines(items []release.Item, same shared, dated bool) []slack.Block {
	var lines []string
	for _, it := range items {
		at, from := "", p.from(it)
		if same.who != "" {
			from = ""
		}
		if dated && !warns(it) {
			at = moment(it.At)
		}
		lines = append(lines, clipMarkup(joined(" · ", p.itemLine(it), from, at), 600))
	}
	return paragraphs(lines)
}

func paragraphs(lines []string) []slack.Block {
	var blocks []slack.Block
	for _, part := range chunks(strings.Join(lines, "\n"), maxSection-200) {
		blocks = append(blocks, section(part))
	}
	return blocks
}

// What is kept of the room for what failed, and for the names of the others.
const (
	roomForFailures = 3500
	roomForNames    = 5000
)

// briefly is a line for what failed, and the names of what did not.
func (p Printer) briefly(items []release.Item) []slack.Block {
	var bad, lines []string
	well := map[string][]string{} // names by emoji
	var order []string
	for _, it := range items {
		emoji := p.itemEmoji(it)
		if failed(it) || warns(it) {
			bad = append(bad, clipMarkup(p.itemLine(it), 400))
			continue
		}
		if well[emoji] == nil {
			order = append(order, emoji)
		}
		well[emoji] = append(well[emoji], clipMarkup(foreign(string(it.App)), maxName))
	}
	shown, rest := within(bad, "\n", roomForFailures)
	lines = append(lines, shown)
	for _, emoji := range order {
		for names, room := well[emoji], roomForNames/len(order); len(names) > 0; {
			text, left := within(names, ", ", min(room, maxSection-500))
			if text == "" {
				rest += left
				break
			}
			lines = append(lines, emoji+" "+text)
			names, room = names[len(names)-left:], room-length(text)
		}
	}
	if rest > 0 {
		lines = append(lines, p.say.notices.number(p.say.notices.andApps, rest))
	}
	return paragraphs(slices.DeleteFunc(lines, func(s string) bool { return s == "" }))
}

// within joins as many parts as there is room for, and counts the others.
func within(parts []string, between string, room int) (text string, rest int) {
	for i, part := range parts {
		if room -= length(part) + length(between); room < 0 {
			return strings.Join(parts[:i], between), len(parts) - i
		}
	}
	return strings.Join(parts, between), 0
}
