package release

import "time"

// suspectTime is how long the cluster may run what Argo CD did not deploy
// before that is an update: self-heal puts it right within seconds.
const suspectTime = 10 * time.Second

// TakeLive takes in what the cluster itself runs. It is asked while all is
// quiet and something is odd. It opens an update, told at once, where somebody
// changed the cluster; and it warns where it runs what Git does not say for
// longer than Argo CD may need to notice a commit.
func (l Ledger) TakeLive(live Live, rules Rules, now time.Time) (Ledger, []Telling) {
	tag, settled := l.running(live)
	if tag == "" || !l.Quiet() {
		l.Suspect = nil
		return l, nil
	}
	var told []Telling
	if t := l.outside(tag, settled, now); t != nil {
		told = append(told, *t)
	}
	if t := l.astray(tag, rules, now); t != nil {
		told = append(told, *t)
	}
	return l, told
}

// running is the one tag that the app's workloads run, "" if there is none, or
// more than one, and whether they run it completely.
func (l Ledger) running(live Live) (tag Tag, settled bool) {
	if live.Problem != "" || live.Session != nil {
		return "", false
	}
	repository := l.Content.Repository
	workloads := live.Of(repository)
	if repository == "" {
		workloads = live.App("", l.Told.Content.Tag)
	}
	for _, w := range workloads {
		for _, image := range w.Images {
			name, t := SplitImage(image)
			if repository != "" && name != repository {
				continue
			}
			if tag != "" && t != tag {
				return "", false
			}
			tag = t
		}
	}
	return tag, all(workloads, Workload.Settled)
}

func (l *Ledger) outside(tag Tag, settled bool, now time.Time) *Telling {
	known := tag == l.Told.Content.Tag || tag == l.Deployed.Content.Tag && l.Told.How != HowOutside
	switch {
	case known:
		l.Suspect = nil
		return nil
	case l.Suspect == nil || l.Suspect.Live != tag:
		l.Suspect = &Suspect{tag, now}
		return nil
	case !settled || now.Sub(l.Suspect.Since) < suspectTime:
		return nil
	}
	to := l.Deployed.Content
	to.Tag = tag
	u := Update{
		ID: l.id(HowOutside, l.number()), How: HowOutside, To: to, Opened: l.Suspect.Since,
		Progress: Progress{Stage: StageHealthy, Since: now}, Outcome: StageHealthy,
	}
	t := &Telling{Update: u, From: l.Told, Kind: NoticeRelease}
	l.Told, l.Suspect = Told{Content: to, How: HowOutside, At: now}, nil
	return t
}

func (l *Ledger) astray(tag Tag, rules Rules, now time.Time) *Telling {
	git := l.Content.Tag
	a := l.Astray
	switch {
	case tag == git || git == "":
		l.Astray = nil
		if a == nil || a.Warned == "" {
			return nil
		}
		return &Telling{Update: l.warning(*a), Kind: NoticeDrift, Warning: a, Over: true}
	case a == nil || a.Live != tag || a.Git != git:
		next := &Astray{Live: tag, Git: git, Since: now}
		if a != nil && a.Warned != "" { // the warning stands; what it says has changed
			next.Since, next.Warned = a.Since, a.Warned
			l.Astray = next
			return &Telling{Update: l.warning(*next), Kind: NoticeDrift, Warning: next}
		}
		l.Astray = next
		return nil
	case a.Warned != "" || now.Sub(a.Since) < rules.Noticed:
		return nil
	}
	warned := *a
	warned.Warned = l.id("astray", l.number())
	l.Astray = &warned
	return &Telling{Update: l.warning(warned), Kind: NoticeDrift, Warning: &warned}
}

func (l Ledger) warning(a Astray) Update {
	return Update{ID: a.Warned, How: HowOutside, To: Content{Tag: a.Live}, Opened: a.Since, Progress: Progress{Stage: StageHealthy}}
}
