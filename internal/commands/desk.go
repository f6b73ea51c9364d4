package commands

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"time"

	"github.com/synestra/promoter/internal/release"
)

// repository is the Git repository with the release layers.
type repository interface {
	Apps(ctx context.Context) ([]release.Presence, release.Revision, error)
	Layers(ctx context.Context, app release.App) (release.Layers, error)
}

// applications is what Argo CD and the cluster behind it say.
type applications interface {
	Application(ctx context.Context, name string) (release.Snapshot, error)
	Live(ctx context.Context, name string) (release.Live, error)
}

// histories tells how the layers came to say what they say. With no revision
// it goes back to the beginning, or as far as it can.
type histories interface {
	History(ctx context.Context, app release.App, environment string, since release.Revision, most int) (release.History, error)
}

// survey is what Git says of every app in an environment.
type survey interface {
	Contents(ctx context.Context, environment string) (map[release.App]release.Content, release.Revision, error)
}

// watch is what Argo CD has said of all Applications, without asking it. Ready
// is why that may be old, nil if it is not.
type watch interface {
	Known() []release.Snapshot
	Ready() error
}

// records are what automation keeps in mind of an app.
type records interface {
	Hold(ctx context.Context, app release.App) (release.Hold, bool, error)
	Holds(ctx context.Context) ([]release.Hold, error)
	Recent(ctx context.Context, app release.App, n int) ([]release.Operation, error)
	Lift(ctx context.Context, app release.App, delivery string) (h release.Hold, lifted bool, err error)
	Ledger(ctx context.Context, app release.App, environment string) (release.Ledger, bool, error)
}

// people knows who somebody is, as far as rights depend on it.
type people interface {
	Person(ctx context.Context, who release.Person) (release.Person, error)
}

// questions keeps what must be confirmed by a click. Take gives each to one
// click of the person who was asked, as often as that click is delivered.
type questions interface {
	Ask(ctx context.Context, q release.Question) error
	Take(ctx context.Context, click release.Request) (release.Question, bool, error)
}

// Desk takes requests: it finds out who asks and what there is, decides, and
// hands what is to be done to [Operations].
type Desk struct {
	Repository   repository
	Applications applications
	People       people
	Questions    questions
	Operations   *Operations
	Histories    histories
	Survey       survey
	Watch        watch
	Records      records
	Policy       release.Policy
	Environments release.Environments
	Source       Source
	Soak         func(release.App) (needed time.Duration, wanted bool) // whether and after what time an app is promoted by itself
	NewID        func() string
	Log          *slog.Logger
}

// Source is the repository and branch that Applications must deploy.
type Source struct{ URL, Branch string }

// Handle works one request off. A refusal is an answer, not an error.
func (d *Desk) Handle(ctx context.Context, r release.Request) (release.Answer, error) {
	// A request that was accepted, begun and found again after a restart goes
	// on as its operation.
	if begun, err := d.Operations.begun(ctx, r.Delivery); err != nil || begun {
		return release.Answer{}, err
	}
	// A button that runs a command is no more than typing it.
	if r.Click == clickRun {
		r.Text, r.Click, r.Subject = r.Subject, "", ""
	}
	answer, err := d.dispatch(ctx, r)
	var no *release.Refusal
	if errors.As(err, &no) {
		d.Log.InfoContext(ctx, "request refused", "command", r.Command, "by", r.By.ID, "code", no.Code)
		return release.Answer{Refusal: no, Link: no.Link, Choices: no.Choices}, nil
	}
	return answer, err
}

func (d *Desk) dispatch(ctx context.Context, r release.Request) (release.Answer, error) {
	switch r.Command {
	case "promote":
		return d.promote(ctx, r)
	case "reset-dev":
		return d.resetDev(ctx, r)
	case "rollback":
		return d.rollback(ctx, r)
	case "release":
		return d.releaseVerb(ctx, r)
	}
	return release.Answer{}, release.Refuse(release.CodeUnknownCommand, "Known here: `/"+strings.Join(Names(), "`, `/")+"`.", "I don't know `%s`.", r.Command)
}

// known is the app that was named. Where none is, but some may have been meant,
// the refusal has buttons that run the command for them.
func (d *Desk) known(ctx context.Context, command string, typed words) (release.App, error) {
	all, _, err := d.Repository.Apps(ctx)
	if err != nil {
		return "", d.unreachable(ctx, release.CodeGitUnreachable, "Git", err)
	}
	p, no := find(typed.App, all)
	if no != nil {
		for _, near := range no.Names {
			no.Choices = append(no.Choices, run(command, typed.with(near)))
		}
		return "", no
	}
	return p.App, nil
}

// allowed finds out who asks and refuses who may not. Someone whose standing
// cannot be read may not.
func (d *Desk) allowed(ctx context.Context, who release.Person, right release.Right) (release.Person, error) {
	known, err := d.People.Person(ctx, who)
	if err != nil {
		d.Log.ErrorContext(ctx, "reading a person's groups", "person", who.ID, "err", err)
		return who, release.Refuse(release.CodeNoRight, "Try again in a minute; if it stays so, tell whoever runs the bot.",
			"Whether you may %s `%s` cannot be found out: Slack does not say who you are.", right.Command, right.App)
	}
	if no := d.Policy.Check(known, right); no != nil {
		return known, no
	}
	return known, nil
}

// reads refuses who may not see how releases stand. Someone whose standing
// cannot be read may not.
func (d *Desk) reads(ctx context.Context, who release.Person) error {
	known, err := d.People.Person(ctx, who)
	if err != nil {
		d.Log.ErrorContext(ctx, "reading who a person is", "person", who.ID, "err", err)
		return release.Refuse(release.CodeNoRight, "Try again in a minute; if it stays so, tell whoever runs the bot.",
			"Whether you may see releases cannot be found out: Slack does not say who you are.")
	}
	if no := release.Reader(known); no != nil {
		return no
	}
	return nil
}

// state reads all that a decision about the app is made on.
func (d *Desk) state(ctx context.Context, app release.App) (release.State, error) {
	layers, err := d.Repository.Layers(ctx, app)
	if err != nil {
		return release.State{}, d.unreachable(ctx, release.CodeGitUnreachable, "Git", err)
	}
	s := release.State{Layers: layers}
	done := make(chan struct{})
	go func() {
		defer close(done)
		s.Dev = d.running(ctx, app, d.Environments.Dev)
	}()
	s.Prod = d.running(ctx, app, d.Environments.Prod)
	<-done
	return s, nil
}

func (d *Desk) running(ctx context.Context, app release.App, env release.Environment) release.Running {
	ctx, stop := context.WithTimeoutCause(ctx, 15*time.Second, errors.New("no answer from Argo CD in 15 s"))
	defer stop()
	r := release.Running{Environment: env}
	name := env.ApplicationName(app)
	snapshot, err := d.Applications.Application(ctx, name)
	switch {
	case errors.Is(err, release.ErrNotVisible):
		r.Problem = release.Refuse(release.CodeNotVisible, "Check that it exists and that the bot's Argo CD account may `get` it.",
			"The Argo CD Application `%s` cannot be seen.", name)
		return r
	case err != nil:
		r.Problem = d.unreachable(ctx, release.CodeArgoUnreachable, "Argo CD", err)
		return r
	}
	r.Snapshot = snapshot
	r.Follows = snapshot.Follows(d.Source.URL, d.Source.Branch)
	if r.Live, err = d.Applications.Live(ctx, name); err != nil {
		d.Log.WarnContext(ctx, "asking the cluster", "application", name, "err", err)
		r.Live = release.Live{Problem: "the cluster could not be asked"}
	}
	return r
}

// unreachable is the refusal while something we depend on does not answer. The
// cause is for the log: it may hold addresses.
func (d *Desk) unreachable(ctx context.Context, code release.Code, what string, err error) *release.Refusal {
	d.Log.ErrorContext(ctx, "asking "+what, "err", err)
	return release.Refuse(code, "Try again in a minute; if it stays so, tell whoever runs the bot.", "%s cannot be asked at the moment.", what)
}

// operation is what a plan becomes once it is to be carried out.
func (d *Desk) operation(kind release.Kind, r release.Request, s release.State, plan release.Plan) release.Operation {
	target := s.Prod
	if plan.Environment.Name == s.Dev.Environment.Name {
		target = s.Dev
	}
	now, baseline := r.At, target.Snapshot.Baseline()
	baseline.Clones = target.Live.Clones()
	return release.Operation{
		ID: d.NewID(), Kind: kind, App: s.Layers.App, Environment: plan.Environment.Name,
		Application: target.Snapshot.Name, Path: plan.Path, From: plan.From, To: plan.To,
		Repository: plan.Repository, By: r.By, Forced: plan.Forced, Notes: plan.Notes,
		Delivery: r.Delivery, Asked: r.Channel, Base: s.Layers.Revision, Created: now.UTC(),
		Baseline: baseline,
		Progress: release.Progress{Stage: release.StageWriting, Since: now.UTC()},
	}
}
