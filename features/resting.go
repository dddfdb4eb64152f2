package features

import (
	"bytes"
	"encoding/binary"
)

// resting keeps the entities of one shard and kind that no window can reach: a record of a few words each in large blocks, found by bits of the key's
// hash. A record holds the key, what history keeps besides rows, and the newest row, as the next event may ask how long ago it was. What is read of an
// entity does not depend on whether it rests.
type resting struct {
	records map[uint32]uint32 // block and offset by hash; of two keys with the same bits one does not rest
	blocks  []restBlock
	current uint32   // the block that is being filled
	empty   []uint32 // blocks that hold nothing
}

const (
	restBits      = 16
	restBlockSize = 1 << restBits
	restHead      = 6 // bytes before the key: length of the record, hash
)

type restBlock struct {
	data []byte
	live int // bytes of records that are in use
}

// restHash takes bits of a hash by which shards are not chosen.
func restHash(hash uint64) uint32 { return uint32(hash >> 32) }

// put adds an entity of at most one row, unless there is no place for it.
func (r *resting) put(hash uint64, l *layout, h *history) bool {
	if r.records == nil {
		r.records = map[uint32]uint32{}
	}
	if _, taken := r.records[restHash(hash)]; taken {
		return false
	}
	x := encoder{l: l, out: make([]byte, 2, 2*maxKey)}
	x.out = appendText(binary.LittleEndian.AppendUint32(x.out, restHash(hash)), h.entity)
	x.header(h)
	if h.tail.rows > 0 {
		x.out = append(x.out, h.tail.data[timeBytes:l.stride]...) // its time is the newest
	}
	if len(x.out) > 1<<16-1 || len(r.blocks) == 1<<restBits {
		return false
	}
	binary.LittleEndian.PutUint16(x.out, uint16(len(x.out)))
	r.append(x.out, restHash(hash))
	return true
}

func (r *resting) append(record []byte, hash uint32) {
	if len(r.blocks) == 0 || len(r.blocks[r.current].data)+len(record) > restBlockSize {
		if n := len(r.empty); n > 0 {
			r.current, r.empty = r.empty[n-1], r.empty[:n-1]
		} else {
			r.current, r.blocks = uint32(len(r.blocks)), append(r.blocks, restBlock{})
		}
	}
	b := &r.blocks[r.current]
	r.records[hash] = r.current<<restBits | uint32(len(b.data))
	b.data, b.live = append(b.data, record...), b.live+len(record)
}

// at returns a record.
func (r *resting) at(ref uint32) []byte {
	record := r.blocks[ref>>restBits].data[ref%restBlockSize:]
	return record[:binary.LittleEndian.Uint16(record)]
}

func recordKey(record []byte) []byte {
	n, width := binary.Uvarint(record[restHead:])
	return record[restHead+width:][:n]
}

// open makes the history of a record.
func (l *layout) open(record []byte) *history {
	key := string(recordKey(record))
	in := bytes.NewReader(record[restHead+len(appendText(nil, key)):])
	x := decoder{l: l, in: in}
	h := newHistory(key)
	x.header(h)
	h.tail.stride = uint16(l.stride)
	if in.Len() > 0 {
		h.tail = newChunk(l.stride, 1)
		x.bytes(h.tail.data[timeBytes:l.stride])
		h.tail.put(0, 0, 64-8*timeBytes, uint64(h.newest))
		h.tail.rows, h.tail.time, h.tail.sequence = 1, h.newest, h.tail.sequenceOf(0)
	}
	return h
}

// take removes an entity and returns its history, nil when it does not rest.
func (r *resting) take(key string, hash uint64, l *layout) *history {
	ref, known := r.records[restHash(hash)]
	if !known {
		return nil
	}
	record := r.at(ref)
	if string(recordKey(record)) != key {
		return nil
	}
	h := l.open(record)
	delete(r.records, restHash(hash))
	b := &r.blocks[ref>>restBits]
	if b.live -= len(record); 4*b.live < len(b.data) && ref>>restBits != r.current {
		r.clear(ref >> restBits)
	}
	return h
}

// clear moves the records of a block that are still in use.
func (r *resting) clear(block uint32) {
	data := r.blocks[block].data
	r.blocks[block] = restBlock{}
	for at := 0; at < len(data); {
		record := data[at:][:binary.LittleEndian.Uint16(data[at:])]
		hash := binary.LittleEndian.Uint32(record[2:])
		if ref, known := r.records[hash]; known && ref == block<<restBits|uint32(at) {
			r.append(record, hash)
		}
		at += len(record)
	}
	r.empty = append(r.empty, block) // only now, as a record moved here could be taken for one of those before
}

// each calls f for every entity.
func (r *resting) each(l *layout, f func(hash uint64, h *history)) {
	for hash, ref := range r.records {
		f(uint64(hash)<<32, l.open(r.at(ref)))
	}
}
