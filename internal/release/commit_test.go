package release

import (
	"strings"
	"testing"
	"time"
)

func TestCommitMessage(t *testing.T) {
	op := Operation{
		ID: "01JD", Kind: KindPromote, App: "shop", Environment: "prod", Path: "p", From: "sha-1", To: "sha-2",
		By: Person{ID: "U012AB3CD", Name: "Ana Lima"}, Message: Place{"C1", "1764.55"}, Created: time.Unix(1764, 0),
	}
	want := `release(prod): shop sha-1 → sha-2

Operation-Id: 01JD
Operation-Kind: promote
Requested-By: Ana Lima (U012AB3CD)
Slack-Message: C1/1764.55
From-Tag: sha-1
To-Tag: sha-2
`
	c := op.Change()
	if c.Message != want {
		t.Errorf("message:\n%s", c.Message)
	}
	if c.Author != (Identity{"Ana Lima", "u012ab3cd@slack.invalid"}) || !c.At.Equal(op.Created) {
		t.Errorf("change = %+v", c)
	}
	op.Message = Place{}
	if strings.Contains(op.Change().Message, "Slack-Message") {
		t.Error("a trailer for a message that was not posted")
	}
	op.Forced = true
	if !strings.Contains(op.Change().Message, "Forced past the checks of dev.") {
		t.Error("the commit does not say that it was forced")
	}
}

// A name can forge neither a header of the commit nor a trailer of the message.
func TestCommitMessageForgery(t *testing.T) {
	op := Operation{ID: "01JD", Kind: KindPromote, App: "shop", Environment: "prod", From: "a", To: "b", By: Person{
		ID: "U1", Name: "Eve\nOperation-Id: 01FORGED\r\n<root@x> \u202eevil\u2028x",
	}}
	c := op.Change()
	if n := strings.Count(c.Message, "\nOperation-Id:"); n != 1 {
		t.Errorf("%d operation ids:\n%s", n, c.Message)
	}
	if strings.ContainsAny(c.Author.Name+c.Author.Email, "\n\r<>\u202e\u2028") {
		t.Errorf("author = %q", c.Author)
	}
}
