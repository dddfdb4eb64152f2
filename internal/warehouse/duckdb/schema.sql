CREATE SCHEMA IF NOT EXISTS raw_data;
CREATE SCHEMA IF NOT EXISTS analytics;
CREATE SCHEMA IF NOT EXISTS adhoc;

-- How far each log is loaded. Changed in the transaction that stores the rows.
CREATE TABLE IF NOT EXISTS raw_data.positions (
    log_id    VARCHAR   NOT NULL,
    through   BIGINT    NOT NULL,
    loaded_at TIMESTAMP NOT NULL
);

-- No keys: rows carry log_id and sequence, readers drop repeated ones.
CREATE TABLE IF NOT EXISTS raw_data.events (
    log_id          VARCHAR   NOT NULL,
    sequence        BIGINT    NOT NULL,
    event_type      VARCHAR   NOT NULL,
    event_type_hash VARCHAR   NOT NULL,
    event_id        VARCHAR   NOT NULL,
    event_time      TIMESTAMP NOT NULL,
    currency        VARCHAR   NOT NULL,
    amount_minor    BIGINT    NOT NULL,
    entities        VARCHAR   NOT NULL,
    attributes      VARCHAR   NOT NULL,
    numbers         VARCHAR   NOT NULL,
    outcome         VARCHAR   NOT NULL,
    origin          VARCHAR   NOT NULL,
    received_at     TIMESTAMP NOT NULL
);

CREATE TABLE IF NOT EXISTS raw_data.decisions (
    log_id              VARCHAR   NOT NULL,
    sequence            BIGINT    NOT NULL,
    event_sequence      BIGINT    NOT NULL,
    event_type          VARCHAR   NOT NULL,
    event_type_hash     VARCHAR   NOT NULL,
    event_id            VARCHAR   NOT NULL,
    decision            VARCHAR   NOT NULL,
    reasons             VARCHAR   NOT NULL,
    flags               VARCHAR   NOT NULL,
    model_version       VARCHAR   NOT NULL,
    assignment_revision BIGINT    NOT NULL,
    raw                 DOUBLE,
    probability         DOUBLE,
    vector              DOUBLE[]  NOT NULL,
    decided_at          TIMESTAMP NOT NULL
);

CREATE TABLE IF NOT EXISTS raw_data.labels (
    log_id         VARCHAR   NOT NULL,
    sequence       BIGINT    NOT NULL,
    event_type     VARCHAR   NOT NULL,
    event_id       VARCHAR   NOT NULL,
    verdict        VARCHAR   NOT NULL,
    kind           VARCHAR   NOT NULL,
    reason_code    VARCHAR   NOT NULL,
    source         VARCHAR   NOT NULL,
    known_at       TIMESTAMP NOT NULL,
    recorded_at    TIMESTAMP NOT NULL,
    event_sequence BIGINT    NOT NULL,
    event_time     TIMESTAMP
);

-- Events by the day of their own time. Sums over all days equal the distinct rows of raw_data.events.
CREATE OR REPLACE VIEW analytics.daily_events AS
SELECT event_type,
       CAST(event_time AS DATE)          AS day,
       currency,
       origin,
       outcome,
       count(*)                          AS events,
       CAST(sum(amount_minor) AS HUGEINT) AS amount_minor
FROM (SELECT DISTINCT log_id, sequence, event_type, event_time, currency, origin, outcome, amount_minor FROM raw_data.events)
GROUP BY ALL;

-- Decisions by the day on which they were made. Sums over all days equal the distinct rows of raw_data.decisions.
CREATE OR REPLACE VIEW analytics.daily_decisions AS
SELECT event_type,
       CAST(decided_at AS DATE)                     AS day,
       decision,
       model_version,
       count(*)                                     AS decisions,
       count(*) FILTER (WHERE contains(flags, '"fallback"')) AS fallbacks
FROM (SELECT DISTINCT log_id, sequence, event_type, decided_at, decision, model_version, flags FROM raw_data.decisions)
GROUP BY ALL;

-- The statement that counts for each event: the latest by known_at, then sequence.
CREATE OR REPLACE VIEW analytics.current_labels AS
SELECT log_id,
       event_type,
       event_id,
       arg_max(verdict, (known_at, sequence)) AS verdict,
       arg_max(kind, (known_at, sequence))    AS kind,
       max(known_at)                          AS known_at,
       max(sequence)                          AS last_sequence
FROM raw_data.labels
GROUP BY ALL;
