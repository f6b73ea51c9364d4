package release

import "testing"

// Who may promote may resume; the right to resume alone gives nothing else.
func TestResumeRight(t *testing.T) {
	rule := func(command string) Policy {
		return Policy{{Commands: []string{command}, Apps: []string{"*"}, Environments: []string{"prod"}, Users: []string{"U1"}}}
	}
	ask := func(command string) Right { return Right{Command: command, App: "shop", Environment: "prod"} }
	for _, c := range []struct {
		rule, asked string
		may         bool
	}{
		{"promote", "resume", true},
		{"resume", "resume", true},
		{"resume", "promote", false},
		{"reset-dev", "resume", false},
	} {
		if no := rule(c.rule).Check(Person{ID: "U1"}, ask(c.asked)); (no == nil) != c.may {
			t.Errorf("a rule for %s, asked to %s: %v", c.rule, c.asked, no)
		}
	}
}

func TestPolicy(t *testing.T) {
	policy := Policy{
		{Commands: []string{"promote"}, Apps: []string{"shop", "web-*"}, Environments: []string{"prod"}, Users: []string{"U1"}},
		{Commands: []string{"promote", "reset-dev"}, Apps: []string{"*"}, Environments: []string{"dev", "prod"}, Groups: []string{"S1"}, Force: true},
		{Commands: []string{"promote"}, Apps: []string{"["}, Environments: []string{"prod"}, Users: []string{"U4"}},
		{Commands: []string{"promote"}, Apps: []string{"*"}, Environments: []string{"prod"}, Users: []string{""}, Groups: []string{""}},
	}
	user, member := Person{ID: "U1"}, Person{ID: "U2", Groups: []string{"S0", "S1"}}
	for _, c := range []struct {
		name  string
		who   Person
		right Right
		code  Code // "" for allowed
	}{
		{"named", user, Right{"promote", "shop", "prod", false}, ""},
		{"pattern", user, Right{"promote", "web-a", "prod", false}, ""},
		{"other app", user, Right{"promote", "blog", "prod", false}, CodeNoRight},
		{"other command", user, Right{"reset-dev", "shop", "prod", false}, CodeNoRight},
		{"other environment", user, Right{"promote", "shop", "dev", false}, CodeNoRight},
		{"no force", user, Right{"promote", "shop", "prod", true}, CodeNoForce},
		{"group", member, Right{"reset-dev", "blog", "dev", false}, ""},
		{"group with force", member, Right{"promote", "blog", "prod", true}, ""},
		{"nobody", Person{ID: "U3"}, Right{"promote", "shop", "prod", false}, CodeNoRight},
		{"a broken pattern gives nothing", Person{ID: "U4"}, Right{"promote", "shop", "prod", false}, CodeNoRight},
		{"an empty id is nobody", Person{Groups: []string{""}}, Right{"promote", "shop", "prod", false}, CodeNoRight},
		{"guest with a rule", Person{ID: "U1", Outsider: "a guest"}, Right{"promote", "shop", "prod", false}, CodeNoRight},
	} {
		t.Run(c.name, func(t *testing.T) {
			no := policy.Check(c.who, c.right)
			switch {
			case c.code == "" && no != nil:
				t.Errorf("refused: %v", no)
			case c.code != "" && (no == nil || no.Code != c.code):
				t.Errorf("refusal = %v", no)
			}
		})
	}
	if Policy(nil).Check(member, Right{"promote", "shop", "prod", false}) == nil {
		t.Error("no rule must give no right")
	}
}
