package cli

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/haechi-fraud/haechi/internal/project"
)

func TestEventName(t *testing.T) {
	one := &project.Project{EventTypes: []*project.EventType{{Name: "card"}}}
	two := &project.Project{EventTypes: []*project.EventType{{Name: "card"}, {Name: "login"}}}
	for _, c := range []struct {
		name     string
		project  *project.Project
		typ, id  string
		problems string
	}{
		{"card/7", one, "card", "7", ""},
		{"7", one, "card", "7", ""},
		{"a/b", one, "card", "a/b", ""},
		{"card/a/b", one, "card", "a/b", ""},
		{"/7", one, "card", "/7", ""},
		{"login/7", two, "login", "7", ""},
		{"login/a/b", two, "login", "a/b", ""},
		{"7", two, "", "", "name the event as TYPE/7"},
		{"payout/7", two, "", "", `no event type "payout"`},
		{"card/7", nil, "card", "7", ""},
		{"7", nil, "", "", "TYPE/ID"},
	} {
		typ, id, err := eventName(c.name, c.project)
		if c.problems != "" {
			require.ErrorContains(t, err, c.problems, c.name)
			continue
		}
		require.NoError(t, err, c.name)
		require.Equal(t, [2]string{c.typ, c.id}, [2]string{typ, id}, c.name)
	}
}
