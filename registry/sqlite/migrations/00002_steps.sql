-- +goose Up
CREATE TABLE run_steps (
    id              INTEGER PRIMARY KEY,
    run             TEXT NOT NULL REFERENCES runs (id),
    name            TEXT NOT NULL,
    output          TEXT NOT NULL CHECK (json_valid(output)),
    started         INTEGER NOT NULL, -- microseconds since the Unix epoch, as all times here
    ended           INTEGER NOT NULL,
    UNIQUE (run, name)
) STRICT;

-- +goose StatementBegin
CREATE TRIGGER run_steps_stay BEFORE UPDATE ON run_steps BEGIN SELECT RAISE(ABORT, 'steps never change'); END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER run_steps_remain BEFORE DELETE ON run_steps BEGIN SELECT RAISE(ABORT, 'steps are never deleted'); END;
-- +goose StatementEnd

-- INSERT OR REPLACE deletes without firing the triggers that refuse deletes, so an insert over a row is refused as well.
-- +goose StatementBegin
CREATE TRIGGER versions_once BEFORE INSERT ON versions WHEN EXISTS (SELECT 1 FROM versions WHERE digest = NEW.digest)
BEGIN SELECT RAISE(ABORT, 'versions never change'); END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER evidence_once BEFORE INSERT ON evidence WHEN EXISTS (SELECT 1 FROM evidence WHERE id = NEW.id)
BEGIN SELECT RAISE(ABORT, 'evidence never changes'); END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER event_types_once BEFORE INSERT ON event_types WHEN EXISTS (SELECT 1 FROM event_types WHERE hash = NEW.hash)
BEGIN SELECT RAISE(ABORT, 'event types never change'); END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER run_steps_once BEFORE INSERT ON run_steps
WHEN EXISTS (SELECT 1 FROM run_steps WHERE id = NEW.id OR run = NEW.run AND name = NEW.name)
BEGIN SELECT RAISE(ABORT, 'steps never change'); END;
-- +goose StatementEnd

-- Assignments are only ever added at the head: to the newest revision by the transaction that makes it, or as the next one.
-- +goose StatementBegin
CREATE TRIGGER assignments_once BEFORE INSERT ON assignments WHEN EXISTS (SELECT 1 FROM assignments WHERE id = NEW.id)
BEGIN SELECT RAISE(ABORT, 'assignments never change'); END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER assignments_at_head BEFORE INSERT ON assignments
WHEN NEW.revision NOT BETWEEN (SELECT coalesce(max(revision), 1) FROM assignments WHERE event_type = NEW.event_type)
                          AND (SELECT coalesce(max(revision), 0) + 1 FROM assignments WHERE event_type = NEW.event_type)
BEGIN SELECT RAISE(ABORT, 'assignments are added at the head'); END;
-- +goose StatementEnd

-- +goose Down
DROP TRIGGER assignments_at_head;
DROP TRIGGER assignments_once;
DROP TRIGGER event_types_once;
DROP TRIGGER evidence_once;
DROP TRIGGER versions_once;
DROP TABLE run_steps;
