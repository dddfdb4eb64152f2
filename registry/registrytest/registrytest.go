// Package registrytest holds a driver to the contract of package registry: every driver's tests call Run. It does not look
// at how a driver stores things; what only one driver promises is tested beside it.
package registrytest

import (
	"context"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/haechi-fraud/haechi/registry"
)

// Place is where one empty registry can be kept.
type Place struct {
	// Open opens the registry; more than once at a time, as several processes would. The test that asks for a handle closes
	// it.
	Open func(t *testing.T) registry.Store
	// Damage puts other bytes where a version's model is kept, or removes them when model is nil, behind the driver's back.
	// It returns what an error must name so that a person finds the spot.
	Damage func(t *testing.T, digest string, model []byte) string
}

// Run runs the suite. make prepares a Place of its own for every test.
func Run(t *testing.T, make func(t *testing.T) Place) {
	for _, c := range []struct {
		name string
		test func(t *testing.T, p Place)
	}{
		{"PutVersion", testPutVersion},
		{"PutVersionAgain", testPutVersionAgain},
		{"PutVersionRefused", testPutVersionRefused},
		{"PutVersionAtOnce", testPutVersionAtOnce},
		{"ListVersions", testListVersions},
		{"Damage", testDamage},
		{"Evidence", testEvidence},
		{"EventTypes", testEventTypes},
		{"Assign", testAssign},
		{"AssignRefused", testAssignRefused},
		{"AssignRace", testAssignRace},
		{"AssignTogether", testAssignTogether},
		{"History", testHistory},
		{"At", testAt},
		{"Roles", testRoles},
		{"AwaitHere", testAwaitHere},
		{"AwaitElsewhere", testAwaitElsewhere},
		{"Runs", testRuns},
		{"RunsRefused", testRunsRefused},
		{"UpdateRunRace", testUpdateRunRace},
		{"Steps", testSteps},
		{"Reopen", testReopen},
		{"TwoHandles", testTwoHandles},
		{"Cancelled", testCancelled},
	} {
		t.Run(c.name, func(t *testing.T) { c.test(t, make(t)) })
	}
}

// open opens a handle for the length of a test.
func open(t *testing.T, p Place) registry.Store {
	t.Helper()
	s := p.Open(t)
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	return s
}

func feature(name string) registry.Feature {
	canonical := `{"kind":"` + name + `"}`
	return registry.Feature{Name: name, Hash: registry.Digest([]byte(canonical)), Canonical: canonical}
}

// version is a whole version, the n-th of its event type, and its model.
func version(eventType string, n int) (registry.Version, []byte) {
	model := []byte("tree\nversion=v4\nfor " + eventType + " number " + strconv.Itoa(n) + "\npandas_categorical:null\n")
	review, decline := -1.25, 0.1+0.2
	at := time.Date(2026, 3, 1, 12, 0, n, 123456000, time.UTC)
	return registry.Version{
		Digest: registry.Digest(model), EventType: eventType, Name: eventType + " " + strconv.Itoa(n), Source: registry.SourceRetrain,
		CreatedBy: "ana", CreatedAt: at, Features: []registry.Feature{feature("amount"), feature("count_7d")},
		Needs: []registry.Feature{feature("mean_7d")}, Span: registry.Span{From: at.AddDate(0, 0, -28), To: at.AddDate(0, 0, -7)},
		Parameters: map[string]string{"num_leaves": "15", "text": `<"&'>`},
		Thresholds: registry.Thresholds{Review: &review, Decline: &decline, Chosen: "20 alerts a day"}, EventTypeHash: registry.Digest([]byte(eventType)),
		Verified: registry.VerifiedByLightGBM,
	}, model
}

// put stores the n-th version of an event type and gives its digest.
func put(ctx context.Context, t *testing.T, s registry.Store, eventType string, n int) string {
	t.Helper()
	v, model := version(eventType, n)
	require.NoError(t, s.PutVersion(ctx, v, model))
	return v.Digest
}

// give is an assignment by ana.
func give(eventType string, role registry.Role, digest string) registry.Assignment {
	return registry.Assignment{EventType: eventType, Role: role, Version: digest, Actor: "ana", Reason: "better on March"}
}

// holders is who plays which role, by digest.
func holders(s registry.State) map[registry.Role][]string {
	out := map[registry.Role][]string{}
	for role, all := range s.Roles {
		for _, a := range all {
			out[role] = append(out[role], a.Version)
		}
	}
	return out
}
