package registry

import (
	"fmt"
	"slices"
)

// Replay gives the state that changes of one event type, oldest first, lead to.
func Replay(changes []Assignment) State {
	s := State{Roles: map[Role][]Assignment{}}
	for _, c := range changes {
		s.Revision = max(s.Revision, c.Revision)
		switch {
		case c.Version == "":
			delete(s.Roles, c.Role)
		case c.Role == Shadow:
			s.Roles[Shadow] = append(s.Roles[Shadow], c)
		default:
			s.Roles[c.Role] = []Assignment{c}
		}
	}
	return s
}

// CheckChanges refuses changes that break a rule about roles, as ErrInvalid.
func CheckChanges(now State, changes []Assignment) error {
	all := []Assignment{}
	for _, role := range now.Roles {
		all = append(all, role...)
	}
	for _, c := range changes {
		switch {
		case c.EventType != changes[0].EventType || c.EventType == "":
			return fmt.Errorf("%w: one revision changes one named event type", ErrInvalid)
		case !slices.Contains([]Role{Champion, Challenger, Shadow, Previous}, c.Role):
			return fmt.Errorf("%w: %q is not a role; there are champion, challenger, shadow and previous", ErrInvalid, c.Role)
		case c.Actor == "" || c.Reason == "":
			return fmt.Errorf("%w: every change names who made it and why", ErrInvalid)
		}
	}
	next := Replay(append(all, changes...))
	if n := len(next.Roles[Shadow]); n > MaxShadows {
		return fmt.Errorf("%w: %d shadows, at most %d", ErrInvalid, n, MaxShadows)
	}
	return nil
}
