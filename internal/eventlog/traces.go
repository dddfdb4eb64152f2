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

	decisions []uint64
}

func (t *Traces) add(x trace) {
	switch sequence := x.sequence(); x.kind() {
	case EventRecord:
		t.Event = earlier(t.Event, sequence)
	case DecisionRecord:
		t.decisions = append(t.decisions, sequence)
	case LabelRecord:
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
	for _, sequence := range t.decisions {
		if sequence > t.Event { // one before it was of an event that was dropped, whose id came again
			t.Decision = sequence
			break
		}
	}
	t.decisions = nil
	return t, nil
}

// Numbers of the fields that tell what a record speaks of; see the protos.
const (
	fieldEventType          = 1 // of Event and Label
	fieldID                 = 2
	fieldTime               = 3 // of Event
	fieldOrigin             = 10
	fieldDecisionOfSequence = 1 // of Decision
	fieldDecisionOfType     = 2
	fieldDecisionOfID       = 3
	fieldLabelOfSequence    = 9 // of Label
)

// Subject is of which event a record speaks.
type Subject struct {
	Kind          RecordKind
	EventType     uint32 // index
	ID            []byte // part of the record's bytes
	Time          int64  // of an event, microseconds since the Unix epoch
	Imported      bool   // an event that never has a decision
	EventSequence uint64 // that a decision or label speaks of; 0 of a label that waits for its event
}

// SubjectOf reads the subject of an encoded record without decoding the rest; ok is false for records that have none.
func SubjectOf(payload []byte) (s Subject, ok bool, err error) {
	body, single := onlyField(payload)
	if !single {
		return s, false, errors.New("the record is not one field")
	}
	switch payload[0] {
	case tagEvent:
		s.Kind = EventRecord
	case tagDecision:
		s.Kind = DecisionRecord
	case tagLabel:
		s.Kind = LabelRecord
	default:
		return s, false, nil
	}
	for len(body) > 0 {
		number, wire, n := protowire.ConsumeTag(body)
		if n < 0 {
			return s, false, protowire.ParseError(n)
		}
		body = body[n:]
		switch wire {
		case protowire.VarintType:
			var v uint64
			v, n = protowire.ConsumeVarint(body)
			s.number(number, v)
		case protowire.BytesType:
			var v []byte
			v, n = protowire.ConsumeBytes(body)
			if number == fieldID && s.Kind != DecisionRecord || number == fieldDecisionOfID && s.Kind == DecisionRecord {
				s.ID = v
			}
		case protowire.Fixed64Type:
			var v uint64
			v, n = protowire.ConsumeFixed64(body)
			if number == fieldTime && s.Kind == EventRecord {
				s.Time = int64(v)
			}
		default:
			n = protowire.ConsumeFieldValue(number, wire, body)
		}
		if n < 0 {
			return s, false, protowire.ParseError(n)
		}
		body = body[n:]
	}
	if s.EventType == 0 {
		return s, false, errors.New("it names no event type")
	}
	return s, true, nil
}

// number takes a field that is a whole number.
func (s *Subject) number(field protowire.Number, v uint64) {
	switch s.Kind {
	case EventRecord:
		switch field {
		case fieldEventType:
			s.EventType = uint32(v)
		case fieldOrigin:
			s.Imported = v != 0
		}
	case DecisionRecord:
		switch field {
		case fieldDecisionOfType:
			s.EventType = uint32(v)
		case fieldDecisionOfSequence:
			s.EventSequence = v
		}
	case LabelRecord:
		switch field {
		case fieldEventType:
			s.EventType = uint32(v)
		case fieldLabelOfSequence:
			s.EventSequence = v
		}
	}
}
