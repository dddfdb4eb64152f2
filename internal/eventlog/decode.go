package eventlog

import (
	"encoding/binary"
	"fmt"

	logv1 "github.com/haechi-fraud/haechi/proto/haechi/log/v1"
)

func unmarshal(sequence uint64, payload []byte) (*logv1.Record, error) {
	rec := &logv1.Record{}
	if err := rec.UnmarshalVT(payload); err != nil {
		return nil, fmt.Errorf("decode record %d: %w", sequence, err)
	}
	return rec, nil
}

// Tags of the fields of Record, each with wire type 2.
const (
	tagEventType = 1<<3 | 2
	tagEvent     = 2<<3 | 2
	tagDecision  = 3<<3 | 2
	tagLabel     = 4<<3 | 2
)

// Decoder decodes payloads into messages that it uses again: what Decode returned is overwritten by the next call
// (strings taken from it stay as they are). It allocates strings and what a longer record needs than those before.
// The zero Decoder is ready; it is for one goroutine.
type Decoder struct {
	rec      logv1.Record
	event    logv1.Record_Event
	decision logv1.Record_Decision
	label    logv1.Record_Label
}

// Decode decodes the payload of a record, such as Reader.NextRaw returns.
func (d *Decoder) Decode(payload []byte) (*logv1.Record, error) {
	body, ok := onlyField(payload)
	if !ok {
		return d.plain(payload)
	}
	switch payload[0] {
	case tagEvent:
		if d.event.Event == nil {
			d.event.Event = &logv1.Event{}
		}
		d.event.Event.ResetVT()
		d.rec.Body = &d.event
		return &d.rec, d.event.Event.UnmarshalVT(body)
	case tagDecision:
		if d.decision.Decision == nil {
			d.decision.Decision = &logv1.Decision{}
		}
		d.decision.Decision.ResetVT()
		d.rec.Body = &d.decision
		return &d.rec, d.decision.Decision.UnmarshalVT(body)
	case tagLabel:
		if d.label.Label == nil {
			d.label.Label = &logv1.Label{}
		}
		d.label.Label.ResetVT()
		d.rec.Body = &d.label
		return &d.rec, d.label.Label.UnmarshalVT(body)
	}
	return d.plain(payload)
}

func (d *Decoder) plain(payload []byte) (*logv1.Record, error) {
	rec := &logv1.Record{}
	return rec, rec.UnmarshalVT(payload)
}

// onlyField returns the body of the one length-delimited field that b consists of.
func onlyField(b []byte) ([]byte, bool) {
	if len(b) < 2 {
		return nil, false
	}
	length, n := binary.Uvarint(b[1:])
	if n <= 0 || length != uint64(len(b)-1-n) {
		return nil, false
	}
	return b[1+n:], true
}
