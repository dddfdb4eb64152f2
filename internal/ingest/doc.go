// Package ingest moves rows in bulk: Import reads history from CSV and Parquet files into an Appender, which puts it
// into the log; Loader tails the log and fills the warehouse.
//
// It does not judge events: what an event may carry is features.Schema's to say, which id is known and what is too old is
// the Appender's. It writes neither to the log nor to DuckDB itself, and nothing here is on the path of a score.
package ingest
