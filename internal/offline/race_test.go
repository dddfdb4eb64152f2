//go:build race

package offline_test

// underRace says that the race detector slows everything down: tests over the whole of the shared data run without it.
const underRace = true
