// Package features is the one implementation of every online feature: serving, replay and training all call it, with the same bits as the result.
//
// It turns the history of an event's entities into a vector of float64, exactly: membership of windows goes by event time in microseconds, visibility by
// sequence, money and scaled numbers are summed as integers and converted once at the end. A Schema says what events of one type carry, Expand turns
// features as people write them (Spec) into Definitions with hashes, an Engine keeps the state and answers Observe.
//
// It does no I/O, knows no log, no clock but the event clock, and no model. Where an event stands in the log is told by its caller's commit function.
package features
