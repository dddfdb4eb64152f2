package eventlog

import (
	"errors"
	"os"

	"google.golang.org/protobuf/encoding/protowire"
)

// Traces are the records that speak of one id: sequences, 0 where there is none.
type Traces struct {
	Event    uint64
	Decision uint64
	Labels   []uint64 // in log order
}

func (t *Traces) add(x trace) {
	switch sequence := x.sequence(); x.kind() {
	case eventRecord:
		t.Event = earlier(t.Event, sequence)
	case decisionRecord:
		t.Decision = earlier(t.Decision, sequence)
	case labelRecord:
		t.Labels = append(t.Labels, sequence)
	}
}

func earlier(a, b uint64) uint64 {
	if a == 0 {
		return b
	}
	return min(a, b)
}

// Indexed is the sequence up to which Find answers: the end of the newest sealed segment that has an index, as all before
// it have.
func (l *Log) Indexed() uint64 { return l.keeper.indexed.Load() }

// Find looks an id up among the records up to Indexed, at least. It reads one page of a segment's index where the id is, and
// for one in a thousand segments where it is not.
func (l *Log) Find(k Key) (Traces, error) {
	var t Traces
	high, low := k.halves()
	for _, s := range *l.segments.Load() {
		x := s.ids.Load()
		if x == nil {
			continue
		}
		if err := x.find(high, low, &t); err != nil {
			if errors.Is(err, os.ErrClosed) {
				return Traces{}, ErrClosed
			}
			if errors.Is(err, ErrCorrupt) {
				l.keeper.again(s)
			}
			return Traces{}, err
		}
	}
	return t, nil
}

// Numbers of the fields that tell what a record speaks of; see the protos.
const (
	fieldEventType      = 1 // of Event and Label
	fieldID             = 2
	fieldTime           = 3 // of Event
	fieldDecisionOfType = 2 // of Decision
	fieldDecisionOfID   = 3
)

// subject is of which event a record speaks.
type subject struct {
	kind      recordKind
	eventType uint32
	id        []byte
	time      int64 // of an event
}

// subjectOf reads the subject of an encoded record without decoding the rest; ok is false for records that have none.
func subjectOf(payload []byte) (s subject, ok bool, err error) {
	body, single := onlyField(payload)
	if !single {
		return s, false, errors.New("the record is not one field")
	}
	typeField, idField := protowire.Number(fieldEventType), protowire.Number(fieldID)
	switch payload[0] {
	case tagEvent:
		s.kind = eventRecord
	case tagDecision:
		s.kind, typeField, idField = decisionRecord, fieldDecisionOfType, fieldDecisionOfID
	case tagLabel:
		s.kind = labelRecord
	default:
		return s, false, nil
	}
	for len(body) > 0 {
		number, wire, n := protowire.ConsumeTag(body)
		if n < 0 {
			return s, false, protowire.ParseError(n)
		}
		body = body[n:]
		switch {
		case number == typeField && wire == protowire.VarintType:
			var v uint64
			v, n = protowire.ConsumeVarint(body)
			s.eventType = uint32(v)
		case number == idField && wire == protowire.BytesType:
			s.id, n = protowire.ConsumeBytes(body)
		case number == fieldTime && wire == protowire.Fixed64Type && s.kind == eventRecord:
			var v uint64
			v, n = protowire.ConsumeFixed64(body)
			s.time = int64(v)
		default:
			n = protowire.ConsumeFieldValue(number, wire, body)
		}
		if n < 0 {
			return s, false, protowire.ParseError(n)
		}
		body = body[n:]
	}
	if s.eventType == 0 {
		return s, false, errors.New("it names no event type")
	}
	return s, true, nil
}
