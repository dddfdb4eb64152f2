package registry_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/haechi-fraud/haechi/registry"
)

// naive keeps one role per version, the plainest way to say the rules.
type naive map[string]registry.Role

func (n naive) apply(c registry.Assignment) {
	for version, role := range n {
		if role == c.Role && (c.Version == "" || c.Role != registry.Shadow) {
			delete(n, version)
		}
	}
	if c.Version != "" {
		n[c.Version] = c.Role
	}
}

func (n naive) count(role registry.Role) int {
	count := 0
	for _, r := range n {
		if r == role {
			count++
		}
	}
	return count
}

// In any history that is accepted, every version has one role and no role too many versions; Replay and the naive oracle
// agree; and what is refused, is refused for a reason that the oracle sees too.
func TestRandomHistories(t *testing.T) {
	roles := []registry.Role{registry.Champion, registry.Challenger, registry.Shadow, registry.Shadow, registry.Previous}
	versions := []string{"", "a", "b", "c", "d", "e", "f"}
	accepted, refused := 0, 0
	rapid.Check(t, func(t *rapid.T) {
		var history []registry.Assignment
		oracle := naive{}
		for revision := range uint64(rapid.IntRange(1, 12).Draw(t, "revisions")) {
			changes := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) registry.Assignment {
				return registry.Assignment{
					EventType: "card_payment", Revision: revision + 1, Actor: "ana", Reason: "why",
					Role: rapid.SampledFrom(roles).Draw(t, "role"), Version: rapid.SampledFrom(versions).Draw(t, "version"),
				}
			}), 1, 4).Draw(t, "changes")
			next := naive{}
			for version, role := range oracle {
				next[version] = role
			}
			for _, c := range changes {
				next.apply(c)
			}
			err := registry.CheckChanges(registry.Replay(history), changes)
			require.Equal(t, sound(oracle, next, changes), err == nil, "%v", err)
			if err != nil {
				require.ErrorIs(t, err, registry.ErrInvalid)
				refused++
				continue
			}
			accepted++
			history, oracle = append(history, changes...), next
			requireSame(t, oracle, registry.Replay(history))
		}
	})
	require.Positive(t, accepted)
	require.Positive(t, refused)
}

// sound says by the oracle whether the changes may be made.
func sound(before, after naive, changes []registry.Assignment) bool {
	vacated := false
	for i, c := range changes {
		vacated = vacated || c.Role == registry.Champion && c.Version == ""
		for _, d := range changes[:i] {
			sameRole := c.Role == d.Role && (c.Role != registry.Shadow || c.Version == "")
			if sameRole || c.Version != "" && c.Version == d.Version {
				return false
			}
		}
	}
	orphaned := before.count(registry.Champion) > 0 && after.count(registry.Champion) == 0 && !vacated
	return after.count(registry.Shadow) <= registry.MaxShadows && !orphaned
}

func requireSame(t require.TestingT, want naive, got registry.State) {
	found := naive{}
	for role, all := range got.Roles {
		require.NotEmpty(t, all, "a role without holders is not listed")
		if role != registry.Shadow {
			require.Len(t, all, 1)
		}
		for _, a := range all {
			require.NotContains(t, found, a.Version, "one role at a time")
			found[a.Version] = role
		}
	}
	require.Equal(t, want, found)
}

// CheckChanges and Replay leave what they are given alone.
func TestStateIsNotChanged(t *testing.T) {
	var history []registry.Assignment
	for i, version := range []string{"a", "b", "c"} {
		history = append(history, registry.Assignment{EventType: "x", Revision: uint64(i + 1), Role: registry.Shadow, Version: version, Actor: "ana", Reason: "why"})
	}
	now := registry.Replay(history)
	before := fmt.Sprint(now)
	change := history[0]
	change.Role = registry.Champion
	require.NoError(t, registry.CheckChanges(now, []registry.Assignment{change}))
	require.Equal(t, before, fmt.Sprint(now))
	require.Len(t, now.Roles[registry.Shadow], 3)
}
