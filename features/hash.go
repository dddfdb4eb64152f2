package features

import (
	"encoding/binary"
	"math/bits"
)

// hashKey spreads an entity's key over 64 bits. Unlike a map's hash it is the same in every process with that seed, so that a snapshot's shards can be
// told apart again. A seed that nobody outside knows keeps others from choosing keys that meet.
func hashKey(seed uint64, key string) uint64 {
	h := fold(seed^0x9e3779b97f4a7c15, uint64(len(key))^0xe7037ed1a0b428db)
	for ; len(key) > 8; key = key[8:] {
		h = fold(h^eight(key[:8]), 0xa0761d6478bd642f)
	}
	return fold(h^eight(key), 0x8ebc6af09c88c6e3^seed)
}

// fold multiplies to 128 bits and adds the halves bit by bit.
func fold(a, b uint64) uint64 {
	high, low := bits.Mul64(a, b)
	return high ^ low
}

// eight is a text of at most eight bytes as a number.
func eight(text string) uint64 {
	var b [8]byte
	copy(b[:], text)
	return binary.LittleEndian.Uint64(b[:])
}
