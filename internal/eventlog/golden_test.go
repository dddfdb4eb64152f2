package eventlog

import (
	"encoding/hex"
	"flag"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/encoding/protojson"

	logv1 "github.com/haechi-fraud/haechi/proto/haechi/log/v1"
)

// The logs in testdata were written by the first program that wrote each format. They must be readable for ever.
// go test -run TestGolden -update ./internal/eventlog makes those of the current format, which is right only while no
// log of that format exists anywhere.
var update = flag.Bool("update", false, "write the golden log of the current format again")

const goldenDir = "testdata/v1"

func goldenRecords() []*logv1.Record {
	late := event("tx-2")
	late.GetEvent().Outcome, late.GetEvent().Origin = logv1.Outcome_OUTCOME_LATE_DROPPED, logv1.Origin_ORIGIN_IMPORTED
	full := decision(2, "tx-1")
	full.GetDecision().Reasons = []*logv1.Reason{{Code: "big", Text: "Larger than any before."}}
	full.GetDecision().Flags = []string{"late", "fallback"}
	full.GetDecision().Vector = []float64{1, -0.5, 1e300}
	return []*logv1.Record{event("tx-1"), full, late, label("tx-1"),
		{Body: &logv1.Record_Revision{Revision: &logv1.Revision{EventType: 1, Revision: 3, Champion: []byte{0xfe}, Applied: 1532476800000000}}}}
}

func writeGolden(t *testing.T) {
	require.NoError(t, os.RemoveAll(goldenDir))
	l := start(t, Options{Dir: goldenDir, SegmentBytes: 4 << 10})
	recs := goldenRecords()
	appendAll(t, l, recs[:2]...)
	appendAll(t, l, recs[2:]...)
	appendAll(t, l, padded("long", 4000)) // a second segment
	require.NoError(t, l.Close())
	var text []byte
	for _, rec := range contents(t, l, 0) {
		line, err := protojson.Marshal(rec)
		require.NoError(t, err)
		text = append(append(text, line...), '\n')
	}
	require.NoError(t, os.WriteFile(filepath.Join(goldenDir, "records.ndjson"), text, 0o600))
}

func TestGolden(t *testing.T) {
	if *update {
		writeGolden(t)
	}
	v, err := OpenReader(goldenDir)
	require.NoError(t, err)
	require.Len(t, v.EventTypes(), 1)
	want := append([]*logv1.Record{{Body: &logv1.Record_EventType{EventType: v.EventTypes()[0]}}}, goldenRecords()...)
	requireRecords(t, append(want, padded("long", 4000)), contents(t, v, 0))
	require.Equal(t, 2, v.Stat().Segments)
	reopenAndAppend(t, copyLog(t, goldenDir), contents(t, v, 0))
	report, err := Verify(goldenDir)
	require.NoError(t, err)
	require.True(t, report.Closed)
}

// TestFrameBytes holds the frame against bytes that were computed by testdata/frame.py from the words of format.go.
func TestFrameBytes(t *testing.T) {
	id := [16]byte{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15}
	f := append(make([]byte, frameHeader), "haechi"...)
	sealFrame(f, seedOf(id), 258, true)
	require.Equal(t, goldenFrame, hex.EncodeToString(f))
	require.Equal(t, goldenMark, hex.EncodeToString(markFrame(seedOf(id), 259)))
}

const (
	goldenFrame = "06000000c3c911b10201000000000080686165636869"
	goldenMark  = "000000005b4157ff0301000000000080"
)
