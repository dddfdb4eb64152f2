package features

import "math/bits"

// hashKey spreads an entity's key over 64 bits. Unlike a map's hash it is the same in every process with that seed, so that a snapshot's shards can be
// told apart again. A seed that nobody outside knows keeps others from choosing keys that meet.
func hashKey(seed uint64, key string) uint64 {
	h := fold(seed^0x9e3779b97f4a7c15, uint64(len(key))^0xe7037ed1a0b428db)
	end := uint64(0)
	if len(key) >= 8 {
		end = eight(key[len(key)-8:]) // some bytes twice, for keys of any length
	} else {
		for i := range len(key) {
			end = end<<8 | uint64(key[i])
		}
	}
	for ; len(key) > 8; key = key[8:] {
		h = fold(h^eight(key), 0xa0761d6478bd642f)
	}
	return fold(h^end, 0x8ebc6af09c88c6e3^seed)
}

// fold multiplies to 128 bits and adds the halves bit by bit.
func fold(a, b uint64) uint64 {
	high, low := bits.Mul64(a, b)
	return high ^ low
}

// eight is the first eight bytes of a text as a number; the compiler makes one load of it.
func eight(t string) uint64 {
	_ = t[7]
	return uint64(t[0]) | uint64(t[1])<<8 | uint64(t[2])<<16 | uint64(t[3])<<24 | uint64(t[4])<<32 | uint64(t[5])<<40 | uint64(t[6])<<48 | uint64(t[7])<<56
}
