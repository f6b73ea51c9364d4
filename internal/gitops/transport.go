package gitops

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/protocol/packp"
	"github.com/go-git/go-git/v5/plumbing/protocol/packp/capability"

	"github.com/synestra/promoter/internal/release"
)

// transport is one repository on a Git host, as this package needs it. Its
// methods may be called from several goroutines.
type transport interface {
	// tip is the commit a ref points to now; ErrNotFound if there is no such ref.
	tip(ctx context.Context, ref string) (plumbing.Hash, error)
	// fetch brings a pack. A *hostError may mean that the filter is refused.
	fetch(ctx context.Context, f fetchRequest) ([]byte, error)
	// push asks the host to move a ref from old to new, if it is still at old. An
	// error means that there was no verdict.
	push(ctx context.Context, p pushRequest) (verdict, error)
	close()
}

type pushRequest struct {
	ref      string
	old, new plumbing.Hash
	pack     []byte
}

// verdict is what the host reports on a push.
type verdict struct {
	ok     bool
	reason string // why not, in the host's words, on one printable line
}

// encode asks for no "atomic": with it receive-pack hides the reason of a
// refusal behind "atomic transaction failed".
func (r pushRequest) encode() ([]byte, error) {
	req := packp.NewReferenceUpdateRequest()
	for _, c := range []capability.Capability{capability.ReportStatus, capability.Sideband64k} {
		if err := req.Capabilities.Set(c); err != nil {
			return nil, err
		}
	}
	req.Commands = []*packp.Command{{Name: plumbing.ReferenceName(r.ref), Old: r.old, New: r.new}}
	var b bytes.Buffer
	if err := req.Encode(&b); err != nil {
		return nil, err
	}
	b.Write(r.pack)
	return b.Bytes(), nil
}

// parseVerdict reads the answer to a push, with or without side bands.
func parseVerdict(body []byte, ref string) (verdict, error) {
	report, said := body, ""
	if len(body) > 4 && body[4] <= 3 {
		var err error
		report, said, err = demultiplex(&packets{body})
		if fatal := (*hostError)(nil); errors.As(err, &fatal) {
			return verdict{reason: release.Plain(fatal.text + ": " + said)}, nil
		}
		if err != nil {
			return verdict{}, err
		}
	}
	var status packp.ReportStatus
	if err := status.Decode(bytes.NewReader(report)); err != nil {
		return verdict{}, fmt.Errorf("reading the host's report: %w", err)
	}
	reasons := []string{}
	if status.UnpackStatus != "ok" {
		reasons = append(reasons, status.UnpackStatus)
	}
	named := false
	for _, c := range status.CommandStatuses {
		if c.ReferenceName.String() != ref {
			continue
		}
		named = true
		if c.Status != "ok" {
			reasons = append(reasons, c.Status)
		}
	}
	if !named {
		reasons = append(reasons, "the host did not mention the branch")
	}
	if len(reasons) == 0 {
		return verdict{ok: true}, nil
	}
	// The hook's words come second: the status is short and says what kind of refusal it is.
	return verdict{reason: release.Plain(strings.Join(append(reasons, strings.TrimSpace(said)), ": "))}, nil
}
