package registry

import (
	"fmt"
	"slices"
)

// Replay gives the state that changes of one event type, in the order of History, lead to.
func Replay(changes []Assignment) State {
	s := State{Roles: map[Role][]Assignment{}}
	for _, c := range changes {
		s.apply(c)
	}
	return s
}

// apply puts one change on top: a version plays one role at a time, and every role but shadow is one version's.
func (s *State) apply(c Assignment) {
	s.Revision = max(s.Revision, c.Revision)
	if c.Version == "" {
		delete(s.Roles, c.Role)
		return
	}
	for role, holders := range s.Roles {
		holders = slices.DeleteFunc(slices.Clone(holders), func(a Assignment) bool { return a.Version == c.Version })
		if len(holders) == 0 {
			delete(s.Roles, role)
			continue
		}
		s.Roles[role] = holders
	}
	if c.Role == Shadow {
		s.Roles[Shadow] = append(s.Roles[Shadow], c)
		return
	}
	s.Roles[c.Role] = []Assignment{c}
}

// CheckChanges refuses, as ErrInvalid, changes that break a rule about roles when they are put on top of the state now:
// they are of one event type; each names its actor and reason; no version, and no role but shadow, occurs twice; shadows
// are taken away before any is given; there are at most MaxShadows shadows; and a champion goes only when another one takes over or the role is vacated by name.
func CheckChanges(now State, changes []Assignment) error {
	if err := checkEach(changes); err != nil {
		return err
	}
	next := State{Roles: map[Role][]Assignment{}}
	for role, holders := range now.Roles {
		next.Roles[role] = holders
	}
	vacated := false
	for _, c := range changes {
		next.apply(c)
		vacated = vacated || c.Role == Champion && c.Version == ""
	}
	if n := len(next.Roles[Shadow]); n > MaxShadows {
		return fmt.Errorf("%w: %d shadows, at most %d; take the role from one in the same revision", ErrInvalid, n, MaxShadows)
	}
	if len(now.Roles[Champion]) > 0 && len(next.Roles[Champion]) == 0 && !vacated {
		return fmt.Errorf("%w: the champion would leave its role without a successor; name one in the same revision", ErrInvalid)
	}
	return nil
}

// checkEach looks at what the changes say by themselves.
func checkEach(changes []Assignment) error {
	if len(changes) == 0 {
		return fmt.Errorf("%w: a revision changes something", ErrInvalid)
	}
	named := map[string]bool{}
	for _, c := range changes {
		switch {
		case c.EventType != changes[0].EventType || c.EventType == "":
			return fmt.Errorf("%w: one revision changes one named event type", ErrInvalid)
		case !slices.Contains([]Role{Champion, Challenger, Shadow, Previous}, c.Role):
			return fmt.Errorf("%w: %q is not a role; there are champion, challenger, shadow and previous", ErrInvalid, c.Role)
		case c.Actor == "" || c.Reason == "":
			return fmt.Errorf("%w: every change names who made it and why", ErrInvalid)
		case c.Version != "" && named["version "+c.Version]:
			return fmt.Errorf("%w: version %s is given two roles in one revision", ErrInvalid, c.Version)
		case (c.Role != Shadow || c.Version == "") && named["role "+string(c.Role)]:
			return fmt.Errorf("%w: the role %s is changed twice in one revision; shadows are taken away first, then given", ErrInvalid, c.Role)
		}
		named["version "+c.Version], named["role "+string(c.Role)] = true, true
	}
	return nil
}
