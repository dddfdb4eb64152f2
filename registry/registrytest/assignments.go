package registrytest

import (
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/haechi-fraud/haechi/registry"
)

func testAssign(t *testing.T, p Place) {
	ctx, s := t.Context(), open(t, p)
	a, b := put(ctx, t, s, "card_payment", 1), put(ctx, t, s, "card_payment", 2)
	head, err := s.Head(ctx, "card_payment")
	require.NoError(t, err)
	require.Zero(t, head.Revision)
	require.Empty(t, head.Roles)

	revision, err := s.Assign(ctx, 0, []registry.Assignment{give("card_payment", registry.Champion, a)})
	require.NoError(t, err)
	require.EqualValues(t, 1, revision)
	revision, err = s.Assign(ctx, 1, []registry.Assignment{give("card_payment", registry.Champion, b), give("card_payment", registry.Previous, a)})
	require.NoError(t, err)
	require.EqualValues(t, 2, revision)
	head, err = s.Head(ctx, "card_payment")
	require.NoError(t, err)
	require.EqualValues(t, 2, head.Revision)
	require.Equal(t, map[registry.Role][]string{registry.Champion: {b}, registry.Previous: {a}}, holders(head))

	other, err := s.Head(ctx, "login")
	require.NoError(t, err)
	require.Zero(t, other.Revision, "every event type has its own head")
}

func testAssignRefused(t *testing.T, p Place) {
	ctx, s := t.Context(), open(t, p)
	a, b := put(ctx, t, s, "card_payment", 1), put(ctx, t, s, "card_payment", 2)
	login := put(ctx, t, s, "login", 1)
	_, err := s.Assign(ctx, 0, []registry.Assignment{give("card_payment", registry.Champion, a)})
	require.NoError(t, err)
	before, err := s.History(ctx, "")
	require.NoError(t, err)

	anonymous := give("card_payment", registry.Champion, b)
	anonymous.Actor = ""
	champion := give("card_payment", registry.Champion, b)
	for name, c := range map[string]struct {
		head    uint64
		changes []registry.Assignment
		want    error
	}{
		"old head":               {0, []registry.Assignment{champion}, registry.ErrConflict},
		"head of the future":     {2, []registry.Assignment{champion}, registry.ErrConflict},
		"nothing":                {1, nil, registry.ErrInvalid},
		"unknown version":        {1, []registry.Assignment{give("card_payment", registry.Champion, registry.Digest(nil))}, registry.ErrNotFound},
		"other type's version":   {1, []registry.Assignment{give("card_payment", registry.Champion, login)}, registry.ErrNotFound},
		"good, then unknown":     {1, []registry.Assignment{champion, give("card_payment", registry.Previous, registry.Digest(nil))}, registry.ErrNotFound},
		"anonymous":              {1, []registry.Assignment{anonymous}, registry.ErrInvalid},
		"two event types":        {1, []registry.Assignment{champion, give("login", registry.Champion, login)}, registry.ErrInvalid},
		"unknown role":           {1, []registry.Assignment{give("card_payment", "king", b)}, registry.ErrInvalid},
		"champion without heir":  {1, []registry.Assignment{give("card_payment", registry.Shadow, a)}, registry.ErrInvalid},
		"two champions":          {1, []registry.Assignment{champion, give("card_payment", registry.Champion, a)}, registry.ErrInvalid},
		"no event type at all":   {0, []registry.Assignment{give("", registry.Champion, b)}, registry.ErrInvalid},
		"one version, two roles": {1, []registry.Assignment{champion, give("card_payment", registry.Shadow, b)}, registry.ErrInvalid},
	} {
		_, err := s.Assign(ctx, c.head, c.changes)
		require.ErrorIs(t, err, c.want, name)
	}
	after, err := s.History(ctx, "")
	require.NoError(t, err)
	require.Equal(t, before, after, "a refusal leaves nothing behind")
	for _, read := range []func() (registry.State, error){
		func() (registry.State, error) { return s.Head(ctx, "") },
		func() (registry.State, error) { return s.At(ctx, "", time.Now()) },
	} {
		_, err := read()
		require.ErrorIs(t, err, registry.ErrInvalid)
	}
}

// Sixteen goroutines on two handles append until all have had their turns; every revision is won exactly once.
func testAssignRace(t *testing.T, p Place) {
	const workers, turns = 16, 4
	ctx, stores := t.Context(), []registry.Store{open(t, p), open(t, p)}
	versions := []string{put(ctx, t, stores[0], "card_payment", 1), put(ctx, t, stores[0], "card_payment", 2)}
	won := make([][]uint64, workers)
	failed := make([]error, workers)
	var wg sync.WaitGroup
	for i := range workers {
		wg.Go(func() {
			s := stores[i%2]
			for len(won[i]) < turns && failed[i] == nil {
				head, err := s.Head(ctx, "card_payment")
				if err == nil {
					var revision uint64
					revision, err = s.Assign(ctx, head.Revision, []registry.Assignment{give("card_payment", registry.Champion, versions[len(won[i])%2])})
					if err == nil {
						won[i] = append(won[i], revision)
					}
				}
				if err != nil && !errors.Is(err, registry.ErrConflict) {
					failed[i] = err
				}
			}
		})
	}
	wg.Wait()
	seen := map[uint64]int{}
	for i := range workers {
		require.NoError(t, failed[i])
		for _, revision := range won[i] {
			seen[revision]++
		}
	}
	history, err := stores[0].History(ctx, "card_payment")
	require.NoError(t, err)
	require.Len(t, history, workers*turns)
	for i, a := range history {
		require.EqualValues(t, i+1, a.Revision, "revisions count without a gap")
		require.Equal(t, 1, seen[a.Revision], "one winner")
	}
}

// Sixteen that read the same head and assign at once: one wins, fifteen are told of the conflict.
func testAssignTogether(t *testing.T, p Place) {
	ctx, stores := t.Context(), []registry.Store{open(t, p), open(t, p)}
	a := put(ctx, t, stores[0], "card_payment", 1)
	for head := range uint64(3) {
		var start, done sync.WaitGroup
		var won, conflicts atomic.Int32
		start.Add(1)
		for i := range 16 {
			done.Go(func() {
				start.Wait()
				_, err := stores[i%2].Assign(ctx, head, []registry.Assignment{give("card_payment", registry.Champion, a)})
				switch {
				case err == nil:
					won.Add(1)
				case errors.Is(err, registry.ErrConflict):
					conflicts.Add(1)
				}
			})
		}
		start.Done()
		done.Wait()
		require.EqualValues(t, 1, won.Load())
		require.EqualValues(t, 15, conflicts.Load())
	}
}

func testHistory(t *testing.T, p Place) {
	ctx, s := t.Context(), open(t, p)
	a, b := put(ctx, t, s, "card_payment", 1), put(ctx, t, s, "card_payment", 2)
	login := put(ctx, t, s, "login", 1)
	valid := time.Date(2026, 5, 1, 0, 0, 0, 1000, time.UTC)
	first := give("card_payment", registry.Champion, a)
	first.ValidFrom = valid.In(time.FixedZone("west", -3600))
	second := []registry.Assignment{give("card_payment", registry.Previous, a), give("card_payment", registry.Champion, b)}
	for _, c := range []struct {
		head    uint64
		changes []registry.Assignment
	}{{0, []registry.Assignment{first}}, {0, []registry.Assignment{give("login", registry.Champion, login)}}, {1, second}} {
		_, err := s.Assign(ctx, c.head, c.changes)
		require.NoError(t, err)
	}
	all, err := s.History(ctx, "")
	require.NoError(t, err)
	require.Len(t, all, 4)
	require.Equal(t, []string{a, login, a, b}, []string{all[0].Version, all[1].Version, all[2].Version, all[3].Version})
	require.Equal(t, valid, all[0].ValidFrom)
	require.Equal(t, all[2].RecordedAt, all[2].ValidFrom, "valid from when it is recorded, unless told otherwise")
	require.Equal(t, "ana", all[3].Actor)
	require.Equal(t, "better on March", all[3].Reason)
	cards, err := s.History(ctx, "card_payment")
	require.NoError(t, err)
	require.Equal(t, []registry.Assignment{all[0], all[2], all[3]}, cards)
	for i := 1; i < len(cards); i++ {
		require.False(t, cards[i].RecordedAt.Before(cards[i-1].RecordedAt))
	}
	none, err := s.History(ctx, "payout")
	require.NoError(t, err)
	require.Empty(t, none)
}
