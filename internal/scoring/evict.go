package scoring

// Evict puts entities to rest whose events no window can reach any more, and returns how many. No value tells the difference.
func (s *Scorer) Evict() int {
	rested := 0
	for _, name := range s.EventTypes() {
		l := s.lanes[name]
		l.gate.RLock()
		engine := l.engine
		l.gate.RUnlock()
		rested += engine.Evict(l.watermark.Load())
	}
	return rested
}
