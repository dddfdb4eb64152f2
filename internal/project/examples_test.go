package project_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/haechi-fraud/haechi/examples"
	"github.com/haechi-fraud/haechi/features"
	"github.com/haechi-fraud/haechi/internal/policy"
	"github.com/haechi-fraud/haechi/internal/project"
)

// copied makes an example in a new folder, with a key as `haechi init` does.
func copied(t testing.TB, name string) string {
	dir := t.TempDir()
	require.NoError(t, examples.Copy(name, dir))
	require.NoError(t, project.WritePIIKey(filepath.Join(dir, project.DefaultKeyFile)))
	return dir
}

func TestExamplesLoad(t *testing.T) {
	for _, name := range examples.Names() {
		p, err := project.Load(copied(t, name))
		require.NoError(t, err, name)
		require.Len(t, p.EventTypes, 1, name)
		et := p.EventTypes[0]
		_, err = policy.Compile(et.Policy, &et.Schema, et.Definitions)
		require.NoError(t, err, name)
		needed, err := features.Needed(et.Definitions, et.Train.Features)
		require.NoError(t, err, name)
		require.Len(t, needed, len(et.Definitions), name)
		require.NotNil(t, et.Mapping, name)
		require.NotNil(t, et.Mapping.Label, name)
		key, err := p.PIIKey()
		require.NoError(t, err)
		require.Len(t, key, 32)
	}
}

func TestCardPaymentsExample(t *testing.T) {
	p, err := project.Load(copied(t, "card-payments"))
	require.NoError(t, err)
	et, ok := p.EventType("")
	require.True(t, ok)
	require.Equal(t, "card_payment", et.Name)
	require.Len(t, et.Lists["published"], 15)
	require.Equal(t, 7*features.Day, et.Labels.Delay)
	require.True(t, et.Labels.Kinds["chargeback"].ArmNeutral)
	require.False(t, et.Labels.Kinds["review"].ArmNeutral)
	require.Equal(t, project.Source{Column: "tx_id"}, et.Mapping.ID)
	require.Equal(t, int64(1_000_000), et.Mapping.Time.Format.Unit)
	require.Equal(t, []project.Binding{{Name: "customer", Source: project.Source{Column: "customer_id"}}, {Name: "terminal", Source: project.Source{Column: "terminal_id"}}}, et.Mapping.Entities)
	require.Equal(t, &project.AmountSource{Source: project.Source{Column: "amount"}}, et.Mapping.Amount)
	require.Equal(t, &project.LabelSource{Source: project.Source{Column: "is_fraud"}, Fraud: []string{"1"}, Legitimate: []string{"0"}, Kind: "chargeback"}, et.Mapping.Label)
	list, err := et.FeatureList("@published")
	require.NoError(t, err)
	require.Equal(t, "terminal_fraud_share_30d", list[14])
	list, err = et.FeatureList("amount, night")
	require.NoError(t, err)
	require.Equal(t, []string{"amount", "night"}, list)
	list, err = et.FeatureList("")
	require.NoError(t, err)
	require.Len(t, list, len(et.Definitions))
	_, err = et.FeatureList("@nothing")
	require.ErrorContains(t, err, "it has published")
	_, err = et.FeatureList("amout")
	require.ErrorContains(t, err, `no feature "amout"`)
}

func TestUSCardPaymentsExample(t *testing.T) {
	p, err := project.Load(copied(t, "us-card-payments"))
	require.NoError(t, err)
	et, ok := p.EventType("us_card_payment")
	require.True(t, ok)
	lookup, ok := et.Mapping.Lookup("customers")
	require.True(t, ok)
	require.Equal(t, project.Lookup{Name: "customers", File: "customers.csv", Key: "customer_id", On: "customer_id"}, lookup)
	band := et.Mapping.Attributes[0]
	require.Equal(t, "age_band", band.Name)
	require.Equal(t, project.Source{Lookup: "customers", Column: "dob"}, band.Source)
	for _, a := range et.Schema.Attributes {
		if a.Name == "age_band" {
			require.Equal(t, band.Bands.Names(), a.Values)
		}
	}
	for _, d := range et.Definitions {
		require.NotContains(t, d.Canonical(), "gender", "segments are not given to the model")
		require.NotContains(t, d.Canonical(), "age_band")
	}
}

func TestDocumentReadsBack(t *testing.T) {
	for _, name := range examples.Names() {
		p, err := project.Load(copied(t, name))
		require.NoError(t, err, name)
		want := p.EventTypes[0]
		got, err := project.LoadEventType(want.Document)
		require.NoError(t, err, name)
		require.Equal(t, want, got, name)
		require.Equal(t, string(want.Document), string(got.Document), name)
	}
}

// The hashes under testdata/hashes.txt name what is stored in registries. A change here means that every event type is
// renamed: if it is meant, say so in the CHANGELOG. HAECHI_UPDATE=1 writes the file anew.
func TestHashesStay(t *testing.T) {
	var got string
	for _, name := range []string{"small", "full"} {
		text, err := os.ReadFile(filepath.Join("testdata", name+".yaml"))
		require.NoError(t, err)
		et, err := project.LoadEventType(text)
		require.NoError(t, err)
		got += name + " " + et.Hash + "\n" + string(et.Document) + "\n"
	}
	golden := filepath.Join("testdata", "hashes.txt")
	if os.Getenv("HAECHI_UPDATE") == "1" {
		require.NoError(t, os.WriteFile(golden, []byte(got), 0o600))
	}
	want, err := os.ReadFile(golden)
	require.NoError(t, err)
	require.Equal(t, string(want), got)
}
