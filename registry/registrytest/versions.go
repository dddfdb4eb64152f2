package registrytest

import (
	"bytes"
	"encoding/json"
	"errors"
	"math"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/haechi-fraud/haechi/registry"
)

func testPutVersion(t *testing.T, p Place) {
	ctx, s := t.Context(), open(t, p)
	v, model := version("card_payment", 1)
	_, err := s.Version(ctx, v.Digest)
	require.ErrorIs(t, err, registry.ErrNotFound)
	_, err = s.Model(ctx, v.Digest)
	require.ErrorIs(t, err, registry.ErrNotFound)

	in := v
	in.CreatedAt = v.CreatedAt.Add(999 * time.Nanosecond).In(time.FixedZone("east", 3600))
	require.NoError(t, s.PutVersion(ctx, in, model))
	got, err := s.Version(ctx, v.Digest)
	require.NoError(t, err)
	require.Equal(t, v, got)
	text, err := s.Model(ctx, v.Digest)
	require.NoError(t, err)
	require.Equal(t, model, text)
}

func testPutVersionAgain(t *testing.T, p Place) {
	ctx, s := t.Context(), open(t, p)
	v, model := version("card_payment", 1)
	require.NoError(t, s.PutVersion(ctx, v, model))
	again := v
	again.CreatedAt, again.CreatedBy = v.CreatedAt.Add(time.Hour), "ben"
	require.NoError(t, s.PutVersion(ctx, again, model), "a repeated import is no conflict")

	threshold := 7.0
	for name, change := range map[string]func(*registry.Version){
		"name":       func(v *registry.Version) { v.Name = "other" },
		"event type": func(v *registry.Version) { v.EventType = "login" },
		"features":   func(v *registry.Version) { v.Features = []registry.Feature{v.Features[1], v.Features[0]} },
		"needs":      func(v *registry.Version) { v.Needs = nil },
		"span":       func(v *registry.Version) { v.Span.From = v.Span.From.Add(time.Microsecond) },
		"parameters": func(v *registry.Version) { v.Parameters = map[string]string{"num_leaves": "16"} },
		"thresholds": func(v *registry.Version) { v.Thresholds.Review = &threshold },
		"verified":   func(v *registry.Version) { v.Verified = registry.Unverified },
	} {
		other := v
		change(&other)
		require.ErrorIs(t, s.PutVersion(ctx, other, model), registry.ErrImmutable, name)
	}
	got, err := s.Version(ctx, v.Digest)
	require.NoError(t, err)
	require.Equal(t, v, got, "the first stands")
}

func testPutVersionRefused(t *testing.T, p Place) {
	ctx, s := t.Context(), open(t, p)
	v, model := version("card_payment", 1)
	require.ErrorIs(t, s.PutVersion(ctx, v, model[1:]), registry.ErrDigest)
	nan := math.NaN()
	for name, change := range map[string]func(*registry.Version){
		"a path as digest":       func(v *registry.Version) { v.Digest = "../../etc/passwd" },
		"no event type":          func(v *registry.Version) { v.EventType = "" },
		"unknown source":         func(v *registry.Version) { v.Source = "found" },
		"unknown verification":   func(v *registry.Version) { v.Verified = "" },
		"hash of something else": func(v *registry.Version) { v.Needs = []registry.Feature{{Name: "x", Hash: v.Digest, Canonical: "{}"}} },
		"span backwards":         func(v *registry.Version) { v.Span.From, v.Span.To = v.Span.To, v.Span.From },
		"threshold NaN":          func(v *registry.Version) { v.Thresholds.Decline = &nan },
	} {
		other := v
		change(&other)
		require.ErrorIs(t, s.PutVersion(ctx, other, model), registry.ErrInvalid, name)
	}
	all, err := s.ListVersions(ctx, "")
	require.NoError(t, err)
	require.Empty(t, all)
}

// Of sixteen that put one digest with different names at once, one name wins and all others are told; whoever is answered
// can load the model at once, while others still write it.
func testPutVersionAtOnce(t *testing.T, p Place) {
	ctx, stores := t.Context(), []registry.Store{open(t, p), open(t, p)}
	v, _ := version("card_payment", 1)
	model := bytes.Repeat([]byte("tree\n"), 1<<18)
	v.Digest = registry.Digest(model)
	results, loads := make([]error, 16), make([]error, 16)
	var wg sync.WaitGroup
	for i := range results {
		wg.Go(func() {
			mine := v
			mine.Name = string(rune('a' + i))
			results[i] = stores[i%2].PutVersion(ctx, mine, model)
			_, loads[i] = stores[i%2].Model(ctx, v.Digest)
		})
	}
	wg.Wait()
	stored, err := stores[0].Version(ctx, v.Digest)
	require.NoError(t, err)
	for i, err := range results {
		require.NoError(t, loads[i])
		if stored.Name == string(rune('a'+i)) {
			require.NoError(t, err)
			continue
		}
		require.ErrorIs(t, err, registry.ErrImmutable)
	}
}

func testListVersions(t *testing.T, p Place) {
	ctx, s := t.Context(), open(t, p)
	b := put(ctx, t, s, "card_payment", 2)
	a := put(ctx, t, s, "card_payment", 1)
	c := put(ctx, t, s, "login", 3)
	for eventType, want := range map[string][]string{"card_payment": {b, a}, "login": {c}, "": {c, b, a}, "payout": nil} {
		all, err := s.ListVersions(ctx, eventType)
		require.NoError(t, err)
		var got []string
		for _, v := range all {
			got = append(got, v.Digest)
		}
		require.Equal(t, want, got, eventType)
	}
}

func testDamage(t *testing.T, p Place) {
	ctx, s := t.Context(), open(t, p)
	v, model := version("card_payment", 1)
	require.NoError(t, s.PutVersion(ctx, v, model))
	flipped := append([]byte(nil), model...)
	flipped[5] ^= 1
	for name, damaged := range map[string][]byte{"a flipped bit": flipped, "cut": model[:7], "empty": {}, "gone": nil} {
		spot := p.Damage(t, v.Digest, damaged)
		_, err := s.Model(ctx, v.Digest)
		require.ErrorIs(t, err, registry.ErrDigest, name)
		require.False(t, errors.Is(err, registry.ErrNotFound), name)
		require.ErrorContains(t, err, spot, name)
		if damaged != nil {
			require.ErrorContains(t, err, registry.Digest(damaged), name)
		}
		require.ErrorContains(t, err, v.Digest, name)
		require.NoError(t, s.PutVersion(ctx, v, model), "putting it again repairs it")
		got, err := s.Model(ctx, v.Digest)
		require.NoError(t, err)
		require.Equal(t, model, got)
	}
}

func testEvidence(t *testing.T, p Place) {
	ctx, s := t.Context(), open(t, p)
	e := registry.Evidence{Kind: registry.EvidenceGolden, Body: json.RawMessage(`{ "rows": [1, "<0x1p-3>"] }`), CreatedAt: time.UnixMicro(1_700_000_000_000_001).UTC(), CreatedBy: "ana"}
	e.Version = registry.Digest([]byte("no such model"))
	require.ErrorIs(t, s.PutEvidence(ctx, e), registry.ErrNotFound)
	none, err := s.Evidence(ctx, e.Version)
	require.NoError(t, err)
	require.Empty(t, none)

	e.Version = put(ctx, t, s, "card_payment", 1)
	second, third := e, e
	second.Kind = registry.EvidenceReport
	third.Body = json.RawMessage(`{"rows":[]}`)
	for _, x := range []registry.Evidence{e, second, third, e} {
		require.NoError(t, s.PutEvidence(ctx, x))
	}
	got, err := s.Evidence(ctx, e.Version)
	require.NoError(t, err)
	require.Equal(t, []registry.Evidence{e, second, third}, got, "oldest first, byte for byte, each once")

	for _, bad := range []registry.Evidence{{Version: e.Version, Body: e.Body}, {Version: e.Version, Kind: "k"}, {Version: e.Version, Kind: "k", Body: json.RawMessage(`{`)}} {
		require.ErrorIs(t, s.PutEvidence(ctx, bad), registry.ErrInvalid)
	}
}

func testEventTypes(t *testing.T, p Place) {
	ctx, s := t.Context(), open(t, p)
	document := []byte("event_type: card_payment\n\x00\xff")
	hash := registry.Digest(document)
	_, err := s.EventType(ctx, hash)
	require.ErrorIs(t, err, registry.ErrNotFound)
	require.ErrorIs(t, s.PutEventType(ctx, hash, "card_payment", document[1:]), registry.ErrDigest)
	require.ErrorIs(t, s.PutEventType(ctx, hash, "", document), registry.ErrInvalid)
	for range 2 {
		require.NoError(t, s.PutEventType(ctx, hash, "card_payment", document))
	}
	require.ErrorIs(t, s.PutEventType(ctx, hash, "login", document), registry.ErrImmutable)
	got, err := s.EventType(ctx, hash)
	require.NoError(t, err)
	require.Equal(t, document, got)
}
