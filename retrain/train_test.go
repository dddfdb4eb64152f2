package retrain

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/haechi-fraud/haechi/features"
)

// TestValidationHasLabels: rows whose labels cannot be in are not trained on, so the validation part lies before them.
func TestValidationHasLabels(t *testing.T) {
	const day = features.Day
	p := &Plan{Train: Span{From: 0, To: 100 * day}, LabelsBy: 107 * day, Validation: 20 * day, Schema: features.Schema{LabelDelay: 7 * day}}
	require.Equal(t, 80*day, p.validationFrom(), "all labels are in")
	p.LabelsBy = 100 * day
	require.Equal(t, 73*day+1, p.validationFrom(), "the last seven days have no labels yet")
}
