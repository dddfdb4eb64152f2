package registrytest

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/haechi-fraud/haechi/registry"
)

// Who was champion is answered to the microsecond, and a later revision has the last word from its ValidFrom on.
func testAt(t *testing.T, p Place) {
	ctx, s := t.Context(), open(t, p)
	day := func(n int) time.Time { return time.Date(2026, 1, n, 0, 0, 0, 0, time.UTC) }
	var versions []string
	for n, from := range []int{10, 20, 15, 5} { // the third was recorded late, the fourth rewrites all
		versions = append(versions, put(ctx, t, s, "card_payment", n))
		if n == 3 {
			break
		}
		c := give("card_payment", registry.Champion, versions[n])
		c.ValidFrom = day(from)
		_, err := s.Assign(ctx, uint64(n), []registry.Assignment{c})
		require.NoError(t, err)
	}
	champion := func(at time.Time) string {
		state, err := s.At(ctx, "card_payment", at)
		require.NoError(t, err)
		if len(state.Roles[registry.Champion]) == 0 {
			return ""
		}
		return state.Roles[registry.Champion][0].Version
	}
	for _, c := range []struct {
		at   time.Time
		want string
	}{
		{day(10).Add(-time.Microsecond), ""}, {day(10), versions[0]}, {day(15).Add(-time.Microsecond), versions[0]},
		{day(15), versions[2]}, {day(20), versions[2]}, {day(30), versions[2]}, {day(15).In(time.FixedZone("east", 3600)), versions[2]},
	} {
		require.Equal(t, c.want, champion(c.at), c.at.String())
	}
	c := give("card_payment", registry.Champion, versions[3])
	c.ValidFrom = day(5)
	_, err := s.Assign(ctx, 3, []registry.Assignment{c})
	require.NoError(t, err)
	require.Equal(t, versions[3], champion(day(5)))
	require.Equal(t, versions[3], champion(day(20)))
	state, err := s.At(ctx, "card_payment", day(4))
	require.NoError(t, err)
	require.Zero(t, state.Revision)
}

// A ramp's life: shadows join, one is promoted step by step, a rollback brings the previous champion back.
func testRoles(t *testing.T, p Place) {
	ctx, s := t.Context(), open(t, p)
	const payment = "card_payment"
	v := make([]string, 5)
	for i := range v {
		v[i] = put(ctx, t, s, payment, i)
	}
	head := uint64(0)
	step := func(want map[registry.Role][]string, changes ...registry.Assignment) {
		t.Helper()
		next, err := s.Assign(ctx, head, changes)
		require.NoError(t, err)
		head = next
		state, err := s.Head(ctx, payment)
		require.NoError(t, err)
		require.Equal(t, want, holders(state))
	}
	type roles = map[registry.Role][]string
	step(roles{"champion": {v[0]}}, give(payment, registry.Champion, v[0]))
	step(roles{"champion": {v[0]}, "shadow": {v[1], v[2], v[3]}},
		give(payment, registry.Shadow, v[1]), give(payment, registry.Shadow, v[2]), give(payment, registry.Shadow, v[3]))
	_, err := s.Assign(ctx, head, []registry.Assignment{give(payment, registry.Shadow, v[4])})
	require.ErrorIs(t, err, registry.ErrInvalid, "a fourth shadow")
	step(roles{"champion": {v[0]}, "challenger": {v[2]}, "shadow": {v[1], v[3]}}, give(payment, registry.Challenger, v[2]))
	step(roles{"champion": {v[0]}, "challenger": {v[4]}, "shadow": {v[1], v[3]}}, give(payment, registry.Challenger, v[4]))
	step(roles{"champion": {v[4]}, "previous": {v[0]}, "shadow": {v[1], v[3]}}, give(payment, registry.Previous, v[0]), give(payment, registry.Champion, v[4]))
	step(roles{"champion": {v[0]}, "previous": {v[4]}, "shadow": {v[1], v[3]}}, give(payment, registry.Champion, v[0]), give(payment, registry.Previous, v[4]))
	step(roles{"champion": {v[0]}, "previous": {v[4]}, "shadow": {v[3]}}, give(payment, registry.Shadow, ""), give(payment, registry.Shadow, v[3]))
	step(roles{"previous": {v[4]}, "shadow": {v[3]}}, give(payment, registry.Champion, ""))
}

// A change made through the same handle wakes who waits at once: the poll of an hour would not.
func testAwaitHere(t *testing.T, p Place) {
	s := open(t, p)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	a := put(ctx, t, s, "card_payment", 1)
	done := make(chan error, 1)
	go func() {
		revision, err := s.Await(ctx, "card_payment", 0, time.Hour)
		if err == nil && revision != 1 {
			err = errors.New("not the revision that was assigned")
		}
		done <- err
	}()
	_, err := s.Assign(ctx, 0, []registry.Assignment{give("card_payment", registry.Champion, a)})
	require.NoError(t, err)
	require.NoError(t, <-done)
	revision, err := s.Await(ctx, "card_payment", 0, time.Hour)
	require.NoError(t, err, "what is there already is not waited for")
	require.EqualValues(t, 1, revision)
	stopped, stop := context.WithCancel(ctx)
	go func() {
		_, err := s.Await(stopped, "card_payment", 1, time.Hour)
		done <- err
	}()
	stop()
	require.ErrorIs(t, <-done, context.Canceled)
}

// A change made through another handle, as by another process, is found by polling.
func testAwaitElsewhere(t *testing.T, p Place) {
	here, there := open(t, p), open(t, p)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	a := put(ctx, t, here, "card_payment", 1)
	done := make(chan error, 1)
	go func() {
		_, err := here.Await(ctx, "card_payment", 0, 5*time.Millisecond)
		done <- err
	}()
	_, err := there.Assign(ctx, 0, []registry.Assignment{give("card_payment", registry.Champion, a)})
	require.NoError(t, err)
	require.NoError(t, <-done)
	head, err := here.Head(ctx, "card_payment")
	require.NoError(t, err)
	require.EqualValues(t, 1, head.Revision)
}
