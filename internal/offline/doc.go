// Package offline computes feature vectors outside a server, with the same engine: Replay turns files of history into a
// Parquet file of vectors, Pipe turns ordered rows on its input into vectors on its output.
//
// It touches neither the log nor the warehouse of a project, keeps no state between runs but what a resumed run left, and
// knows no feature: every value comes out of a features.Engine.
package offline
