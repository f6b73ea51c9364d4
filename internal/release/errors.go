package release

import "errors"

// Errors that one room meets and another decides on.
var (
	// ErrNotVisible: there is no such Application, or no right to see it. Argo CD
	// does not tell the two apart.
	ErrNotVisible = errors.New("no such Application, or no right to see it")
	// ErrBusy: Argo CD runs another operation on the Application.
	ErrBusy = errors.New("another operation is already in progress")
	// ErrDenied: Argo CD does not let the bot's account do it, or a sync window
	// is closed.
	ErrDenied = errors.New("not allowed by Argo CD")
	// ErrOutcomeUnknown: a write may or may not have landed. Of a Change, asking
	// again with the same is safe and finds out; a post is looked for first.
	ErrOutcomeUnknown = errors.New("whether the write landed is not known")
	// ErrUnauthorized: the Git host does not accept the bot's credential.
	ErrUnauthorized = errors.New("not authorized by the Git host")
	// ErrWriteRejected: the Git host took the push and refused it (a hook, a
	// protected branch). The error's text is the host's reason.
	ErrWriteRejected = errors.New("refused by the Git host")
	// ErrFenced: another process has taken over what is being saved.
	ErrFenced = errors.New("another process has taken it over")
	// ErrGone: the message that was to be changed is not there any more.
	ErrGone = errors.New("the message is gone")
	// ErrNoHistory: a channel's history may not be read, or reaches too far, so
	// whether a message stands there cannot be known, now or later.
	ErrNoHistory = errors.New("the channel's history cannot be read")
	// ErrExists: what is to be begun or told was before: an operation of that
	// request, a notice of that update, a job for that time.
	ErrExists = errors.New("it is stored already")
)

// SyncAsk is how Argo CD is asked to sync.
type SyncAsk struct {
	Prune     bool
	Operation string // ours, kept in Argo CD's record of the sync
	By        string
}

// Question is something that a click must confirm before it is done. It holds
// what the person was shown: where any of it has changed by the time of the
// click, the question is void.
type Question struct {
	ID      string // opaque; all that the button carries
	Command string
	App     App
	By      string // id of the only person who may answer
	From    Tag
	To      Tag
	Blob    string // of the layer to be written
	Asked   Channel
	Expires int64 // Unix seconds
}
