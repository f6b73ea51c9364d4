package release

import (
	"cmp"
	"slices"
	"time"
)

// Entry is one change of what an environment should run, or an attempt at one.
type Entry struct {
	At       time.Time
	From, To Tag    // the same where other settings changed
	Who      string // "" if that is not known
	What     string // the kind of an operation; "" for somebody's commit
	Outcome  Stage  // how it stands or ended; "" if that is not recorded
	Took     time.Duration
}

// Entries are the changes of an environment, newest first: what the branch has,
// and the operations that came to no commit. What became of a commit is known
// of our own operations, and of others as far as the ledger goes.
func Entries(h History, ops []Operation, l Ledger) []Entry {
	own := map[string]Operation{}
	for _, op := range ops {
		own[op.ID] = op
	}
	var all []Entry
	written := map[string]bool{}
	for _, e := range h.Edits {
		id := e.Trailers["Operation-Id"]
		written[id] = true
		entry := Entry{At: e.At, From: e.Before.Tag, To: e.After.Tag, What: e.Trailers["Operation-Kind"], Who: e.Who(), Outcome: l.outcome(e.Revision)}
		if op, ours := own[id]; ours && op.Made(e) {
			entry.Outcome, entry.Took = op.Progress.Stage, op.took()
		}
		all = append(all, entry)
	}
	for _, op := range ops { // newest first
		if written[op.ID] || op.Environment != l.Environment {
			continue
		}
		// Git's order stands, whatever the clocks of its authors were.
		after := len(all)
		for after > 0 && !all[after-1].At.After(op.Created) {
			after--
		}
		all = slices.Insert(all, after, Entry{
			At: op.Created, From: op.From, To: op.To, What: string(op.Kind), Who: op.By.Signature(), Outcome: op.Progress.Stage, Took: op.took(),
		})
	}
	return all
}

// Who is who made the edit: the person who asked for it, or who committed.
func (e Edit) Who() string {
	author := ""
	if len(e.Authors) > 0 {
		author = e.Authors[0].Name
	}
	return cmp.Or(e.Trailers["Requested-By"], author)
}

// took is how long an operation needed to be healthy, 0 if it is not.
func (o Operation) took() time.Duration {
	if o.Progress.Stage != StageHealthy {
		return 0
	}
	return max(0, o.Progress.Since.Sub(o.Created))
}

// outcome is how a commit stands by the ledger, "" if it does not say.
func (l Ledger) outcome(commit Revision) Stage {
	for _, u := range l.Open {
		if u.Commit == commit && u.How == HowCommit {
			return u.Progress.Stage
		}
	}
	if l.Told.How == HowCommit && l.Told.Revision == commit && l.Told.Seen {
		return StageHealthy
	}
	return ""
}
