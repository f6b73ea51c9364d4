package release_test

import (
	"strings"
	"testing"

	. "github.com/synestra/promoter/internal/release"
)

func TestIdentity(t *testing.T) {
	for _, c := range []struct {
		name string
		who  Person
		want Identity
	}{
		{"as known", Person{ID: "U012AB3CD", Name: "Ada Lovelace"}, Identity{"Ada Lovelace", "u012ab3cd@slack.invalid"}},
		{"in any script", Person{ID: "U1", Name: "Ада Ловлейс 😀"}, Identity{"Ада Ловлейс 😀", "u1@slack.invalid"}},
		{"without a name", Person{ID: "U1"}, Identity{"U1", "u1@slack.invalid"}},
		{"with an invisible name", Person{ID: "U1", Name: " \u200b\u202e\t"}, Identity{"U1", "u1@slack.invalid"}},
		{"the command line", Person{ID: "cli", Name: "cli"}, Identity{"cli", "cli@slack.invalid"}},
		{"forging a header", Person{ID: "U1>\ncommitter x", Name: "Ada\ncommitter Eve <eve@x> 0 +0000"}, Identity{"Adacommitter Eve eve@x 0 +0000", "u1committer x@slack.invalid"}},
		{"forging a trailer", Person{ID: "U1", Name: "Ada\r\n\r\nOperation-Id: 1"}, Identity{"AdaOperation-Id: 1", "u1@slack.invalid"}},
		{"reading as another", Person{ID: "U1", Name: "\u202eadA"}, Identity{"adA", "u1@slack.invalid"}},
	} {
		got := c.who.Identity("slack.invalid")
		if got != c.want {
			t.Errorf("%s: %+v, want %+v", c.name, got, c.want)
		}
		if strings.ContainsAny(got.Name+got.Email, "<>\n\r\x00") {
			t.Errorf("%s: %+v is not fit for a header", c.name, got)
		}
	}
}
