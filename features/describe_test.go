package features_test

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/haechi-fraud/haechi/features"
)

// TestDescriptions: words, formula, unit and what is given when there is nothing, for one feature of every kind. HAECHI_UPDATE=1 rewrites them; the
// difference is the review.
func TestDescriptions(t *testing.T) {
	var got bytes.Buffer
	for _, list := range []func() ([]string, map[string]features.Spec){everySpec, laterSpec} {
		names, specs := list()
		definitions, err := features.Expand(shop(), names, specs)
		require.NoError(t, err)
		for _, d := range definitions {
			x := d.Describe(shop())
			for _, part := range []string{x.Words, x.Formula, x.Unit, x.Empty} {
				require.NotEmpty(t, part, d.Name)
			}
			fmt.Fprintf(&got, "%s\n  %s\n  = %s\n  [%s] empty: %s\n", d.Name, x.Words, x.Formula, x.Unit, x.Empty)
		}
	}
	golden := filepath.Join("testdata", "descriptions.golden")
	if os.Getenv("HAECHI_UPDATE") == "1" {
		require.NoError(t, os.WriteFile(golden, got.Bytes(), 0o644))
	}
	want, err := os.ReadFile(golden)
	require.NoError(t, err)
	require.Equal(t, string(want), got.String())
}
