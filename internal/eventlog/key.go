package eventlog

import "crypto/sha256"

// Key stands for an event's type and id in the index of one log: 128 bits of SHA-256, keyed by the log's random id. Nobody
// outside can aim at a collision, and among a billion ids an accidental one has a chance below 10^-20.
type Key [16]byte

// Key is the key of an event.
func (c *catalog) Key(eventType, id string) Key { return keyOf(c.id, eventType, id) }

func keyOf(log [16]byte, eventType, id string) Key {
	var space [512]byte
	b := append(space[:0], log[:]...)
	b = le.AppendUint32(b, uint32(len(eventType)))
	b = append(append(b, eventType...), id...)
	sum := sha256.Sum256(b)
	return Key(sum[:16])
}

// halves are the key as two numbers, which order keys as their bytes do.
func (k Key) halves() (high, low uint64) { return be.Uint64(k[:8]), be.Uint64(k[8:]) }
