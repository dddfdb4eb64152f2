package eventlog

import (
	"context"
	"crypto/sha256"
	"fmt"

	"google.golang.org/protobuf/proto"

	logv1 "github.com/haechi-fraud/haechi/proto/haechi/log/v1"
)

// Append gives rec the next sequence and copies it into the buffer; Wait says when it is durable. It does no I/O and
// never blocks on any. place, which may be nil, runs with that sequence before rec is encoded, under the lock that
// orders the log, so its calls come in sequence order: it may finish rec, must be short, and must not call Append, Wait,
// Get or StateEventType. When Append refuses (ErrPoisoned, ErrOverloaded, ErrClosed, ErrTooLarge, ErrRecord), place has
// not run. The caller may use rec again as soon as Append has returned.
//
// Append does not look at the disk's free space: ask Writable before the first record of something.
func (l *Log) Append(rec *logv1.Record, place func(sequence uint64)) (uint64, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if _, states := rec.GetBody().(*logv1.Record_EventType); states {
		return 0, fmt.Errorf("%w: an event type is stated by StateEventType", ErrRecord)
	}
	return l.append(rec, place)
}

// Pause runs f with the sequence given last, while no record is placed: what place functions have kept is then as of that
// record. f must be short, and must not call the log.
func (l *Log) Pause(f func(last uint64)) {
	l.mu.Lock()
	defer l.mu.Unlock()
	f(l.next - 1)
}

func (l *Log) append(rec *logv1.Record, place func(uint64)) (uint64, error) {
	size := rec.SizeVT()
	if err := l.refusal(rec, size); err != nil {
		return 0, err
	}
	sequence := l.next
	if place != nil {
		place(sequence)
		if size = rec.SizeVT(); size > maxPayload || size == 0 {
			return 0, fmt.Errorf("%w: %d bytes after it was placed", ErrTooLarge, size)
		}
	}
	b := l.active
	if err := b.add(rec, size, l.seed, sequence); err != nil {
		return 0, err
	}
	l.next++
	l.last.Store(sequence)
	l.buffered.Add(int64(frameHeader + size))
	if l.sleep == sleepEmpty || l.sleep == sleepPatient && len(b.buf) >= eagerBytes {
		l.rouse()
	}
	return sequence, nil
}

// refusal says why rec cannot be appended now.
func (l *Log) refusal(rec *logv1.Record, size int) error {
	if err := l.unusable(); err != nil {
		return err
	}
	if size > MaxRecordBytes {
		return fmt.Errorf("%w: %d bytes, at most %d", ErrTooLarge, size, MaxRecordBytes)
	}
	limit := l.o.MaxBuffered
	var index uint32
	switch body := rec.GetBody().(type) {
	case *logv1.Record_Event:
		index = body.Event.GetEventType()
	case *logv1.Record_Decision:
		index = body.Decision.GetEventType()
		limit *= 2 // its event is in the log already
	case *logv1.Record_Label:
		index = body.Label.GetEventType()
	case *logv1.Record_Revision:
		index = body.Revision.GetEventType()
	case *logv1.Record_EventType:
		index = 1
	default:
		return fmt.Errorf("%w: it has no body", ErrRecord)
	}
	if _, stated := l.EventType(index); !stated && !isStatement(rec) {
		return fmt.Errorf("%w: event type %d was not stated", ErrRecord, index)
	}
	if l.buffered.Load() >= limit {
		l.metrics.refused.Inc()
		return ErrOverloaded
	}
	return nil
}

func isStatement(rec *logv1.Record) bool {
	_, yes := rec.GetBody().(*logv1.Record_EventType)
	return yes
}

// unusable says why the log takes nothing at all any more.
func (l *Log) unusable() error {
	if err := l.failure.Load(); err != nil {
		return *err
	}
	if l.closing.Load() {
		return ErrClosed
	}
	return nil
}

// StateEventType returns the index by which records refer to et, and appends it as a record unless one with the same
// hash was stated before. An empty hash is filled in from the document; the index in et is not looked at.
func (l *Log) StateEventType(et *logv1.EventType) (uint32, error) {
	stated, _ := proto.Clone(et).(*logv1.EventType)
	if len(stated.GetHash()) == 0 {
		sum := sha256.Sum256(stated.GetDocument())
		stated.Hash = sum[:]
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if index, known := l.byHash[string(stated.GetHash())]; known {
		return index, nil
	}
	types := *l.types.Load()
	stated.Index = uint32(len(types)) + 1
	sequence, err := l.append(&logv1.Record{Body: &logv1.Record_EventType{EventType: stated}}, nil)
	if err != nil {
		return 0, fmt.Errorf("state event type %s: %w", et.GetName(), err)
	}
	l.byHash[string(stated.GetHash())] = stated.GetIndex()
	l.statedAt = append(l.statedAt, sequence)
	types = append(types[:len(types):len(types)], stated)
	l.types.Store(&types)
	return stated.GetIndex(), nil
}

// Wait returns nil once the record is durable. Any number may wait. ErrPoisoned: the log failed before, the record may
// or may not be found after reopening. An error of ctx says nothing about the record.
func (l *Log) Wait(ctx context.Context, sequence uint64) error {
	if sequence <= l.durable.Load() {
		return nil
	}
	b, err := l.awaited(sequence)
	if b == nil {
		return err
	}
	select {
	case <-b.done:
		return b.err
	case <-ctx.Done():
		if sequence <= l.durable.Load() {
			return nil
		}
		return fmt.Errorf("wait for record %d: %w", sequence, context.Cause(ctx))
	}
}

// awaited returns the batch that will make the sequence durable and lets the writer know that somebody waits. Without a
// batch, the error (or nil) is the answer.
func (l *Log) awaited(sequence uint64) (*batch, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if sequence <= l.durable.Load() {
		return nil, nil
	}
	if sequence >= l.next {
		return nil, fmt.Errorf("wait for record %d: %w: the last one is %d", sequence, ErrNotFound, l.next-1)
	}
	if l.flight != nil && l.flight.holds(sequence) {
		l.flight.waiters++
		return l.flight, nil
	}
	b := l.active
	if !b.holds(sequence) { // its batch failed
		return nil, l.unusable()
	}
	b.waiters++
	if l.sleep != awake {
		l.rouse()
	}
	return b, nil
}

// Get returns the record of that sequence, also one that is not durable yet. ErrNotFound when there is none.
func (l *Log) Get(sequence uint64) (*logv1.Record, error) {
	if payload := l.buffer(sequence); payload != nil {
		return unmarshal(sequence, payload)
	}
	return l.get(sequence)
}

func (l *Log) buffer(sequence uint64) []byte {
	if sequence <= l.durable.Load() {
		return nil
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, b := range []*batch{l.flight, l.active} {
		if b != nil && b.holds(sequence) {
			return b.payload(sequence)
		}
	}
	return nil
}
