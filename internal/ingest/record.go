package ingest

import (
	"encoding/binary"
	"math"

	"github.com/haechi-fraud/haechi/features"
)

// origin is where a row came from.
type origin struct {
	file int // in the order of the job: event files, then label files
	line int64
}

// labelRow is a label before it is appended.
type labelRow struct {
	eventID string
	LabelStatement
}

// The forms below live only while an import sorts. Both end with what they share: the row's texts, so that reading
// makes one string of which all fields are parts.

func appendText(b []byte, s string) []byte {
	return append(binary.AppendUvarint(b, uint64(len(s))), s...)
}

func encodeEvent(b []byte, at origin, ev *features.Event) []byte {
	b = binary.AppendUvarint(b, uint64(at.file))
	b = binary.AppendUvarint(b, uint64(at.line))
	b = binary.AppendVarint(b, ev.Amount)
	for _, x := range ev.Numbers {
		b = binary.LittleEndian.AppendUint64(b, math.Float64bits(x))
	}
	b = appendText(b, ev.ID)
	for _, s := range ev.Entities {
		b = appendText(b, s)
	}
	for _, s := range ev.Attributes {
		b = appendText(b, s)
	}
	return b
}

// decodeEvent fills ev, whose slices have their lengths already.
func decodeEvent(b []byte, time int64, ev *features.Event) origin {
	r := fieldReader{bytes: b}
	at := origin{file: int(r.unsigned()), line: int64(r.unsigned())}
	ev.Time, ev.Amount = time, r.signed()
	for i := range ev.Numbers {
		ev.Numbers[i] = r.number()
	}
	r.startTexts()
	ev.ID = r.text()
	for i := range ev.Entities {
		ev.Entities[i] = r.text()
	}
	for i := range ev.Attributes {
		ev.Attributes[i] = r.text()
	}
	return at
}

// encodeLabel leaves out the source, which all labels of an import share.
func encodeLabel(b []byte, at origin, l *labelRow) []byte {
	b = binary.AppendUvarint(b, uint64(at.file))
	b = binary.AppendUvarint(b, uint64(at.line))
	b = binary.AppendVarint(b, l.KnownAt)
	b = append(b, byte(l.Verdict))
	b = appendText(b, l.eventID)
	b = appendText(b, l.Kind)
	return appendText(b, l.ReasonCode)
}

func decodeLabel(b []byte, l *labelRow) origin {
	r := fieldReader{bytes: b}
	at := origin{file: int(r.unsigned()), line: int64(r.unsigned())}
	l.KnownAt = r.signed()
	l.Verdict = features.Verdict(r.bytes[r.at])
	r.at++
	r.startTexts()
	l.eventID, l.Kind, l.ReasonCode = r.text(), r.text(), r.text()
	return at
}

// fieldReader reads what this file wrote; the bytes never come from outside.
type fieldReader struct {
	bytes []byte
	at    int
	all   string // the rest of bytes from start, as text
	start int
}

func (r *fieldReader) unsigned() uint64 {
	v, n := binary.Uvarint(r.bytes[r.at:])
	r.at += n
	return v
}

func (r *fieldReader) signed() int64 {
	v, n := binary.Varint(r.bytes[r.at:])
	r.at += n
	return v
}

func (r *fieldReader) number() float64 {
	v := math.Float64frombits(binary.LittleEndian.Uint64(r.bytes[r.at:]))
	r.at += 8
	return v
}

func (r *fieldReader) startTexts() { r.all, r.start = string(r.bytes[r.at:]), r.at }

func (r *fieldReader) text() string {
	n := int(r.unsigned())
	s := r.all[r.at-r.start : r.at-r.start+n]
	r.at += n
	return s
}
