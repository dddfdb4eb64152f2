-- +goose Up
CREATE TABLE versions (
    digest          TEXT PRIMARY KEY CHECK (length(digest) = 64),
    event_type      TEXT NOT NULL,
    created_at      INTEGER NOT NULL, -- microseconds since the Unix epoch, as all times here
    body            TEXT NOT NULL     -- the version as JSON
) STRICT;
CREATE INDEX versions_by_type ON versions (event_type, created_at);

CREATE TABLE evidence (
    id              INTEGER PRIMARY KEY,
    version         TEXT NOT NULL REFERENCES versions (digest),
    kind            TEXT NOT NULL,
    body            TEXT NOT NULL,
    created_at      INTEGER NOT NULL,
    created_by      TEXT NOT NULL
) STRICT;
CREATE INDEX evidence_by_version ON evidence (version, id);

CREATE TABLE assignments (
    id              INTEGER PRIMARY KEY,
    event_type      TEXT NOT NULL,
    revision        INTEGER NOT NULL,
    role            TEXT NOT NULL CHECK (role IN ('champion', 'challenger', 'shadow', 'previous')),
    version         TEXT REFERENCES versions (digest), -- NULL: the role falls vacant
    valid_from      INTEGER NOT NULL,
    recorded_at     INTEGER NOT NULL,
    actor           TEXT NOT NULL,
    reason          TEXT NOT NULL
) STRICT;
CREATE INDEX assignments_by_type ON assignments (event_type, revision, id);

CREATE TABLE event_types (
    hash            TEXT PRIMARY KEY CHECK (length(hash) = 64),
    name            TEXT NOT NULL,
    document        BLOB NOT NULL
) STRICT;

CREATE TABLE runs (
    id              TEXT PRIMARY KEY,
    event_type      TEXT NOT NULL,
    state           TEXT NOT NULL,
    created_at      INTEGER NOT NULL,
    body            TEXT NOT NULL -- the run as JSON
) STRICT;
CREATE INDEX runs_by_type ON runs (event_type, created_at);

-- +goose StatementBegin
CREATE TRIGGER versions_stay BEFORE UPDATE ON versions BEGIN SELECT RAISE(ABORT, 'versions never change'); END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER versions_remain BEFORE DELETE ON versions BEGIN SELECT RAISE(ABORT, 'versions are never deleted'); END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER evidence_stays BEFORE UPDATE ON evidence BEGIN SELECT RAISE(ABORT, 'evidence never changes'); END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER evidence_remains BEFORE DELETE ON evidence BEGIN SELECT RAISE(ABORT, 'evidence is never deleted'); END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER assignments_stay BEFORE UPDATE ON assignments BEGIN SELECT RAISE(ABORT, 'assignments never change'); END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER assignments_remain BEFORE DELETE ON assignments BEGIN SELECT RAISE(ABORT, 'assignments are never deleted'); END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER event_types_stay BEFORE UPDATE ON event_types BEGIN SELECT RAISE(ABORT, 'event types never change'); END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER event_types_remain BEFORE DELETE ON event_types BEGIN SELECT RAISE(ABORT, 'event types are never deleted'); END;
-- +goose StatementEnd

-- +goose Down
DROP TABLE runs;
DROP TABLE event_types;
DROP TABLE assignments;
DROP TABLE evidence;
DROP TABLE versions;
