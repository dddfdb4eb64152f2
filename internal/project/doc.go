// Package project reads a project folder, haechi.yaml and event_types/*.yaml, strictly into the types of their owners.
//
// Every violation of every file is reported at once, each with file, line and column and what to do about it. A project
// that loads is sound: features are expanded, rules are compiled once for checking, lookups and currencies are known.
// The package also names an event type by the hash of its canonical document, reads such a document back, and keeps the
// lock file that says which process owns the data folder.
//
// It opens no store, starts nothing and knows nothing of how the parts it configures work.
package project
