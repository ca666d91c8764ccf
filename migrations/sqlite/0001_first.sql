-- The first schema. Tables are named in the singular and are ours to change; the views at the end are named in the plural and are
-- the contract.
--
-- A row that belongs to a run (or, of evidence, to a finding) and comes in an order has the key parent << 26 | place, so that the
-- rows of a run lie together and need no index. Texts are numbers: block << 16 | place in the block, 0 the empty text, NULL none;
-- the function text(n) gives the words. Times of ours are microseconds since 1970; times of the source are its text.

PRAGMA application_id = 1413827660;

CREATE TABLE collection (
    n           INTEGER PRIMARY KEY AUTOINCREMENT,
    id          TEXT NOT NULL UNIQUE,
    name        TEXT NOT NULL UNIQUE,
    description TEXT,
    metadata    TEXT,
    created_at  TEXT NOT NULL,
    imported    INTEGER,
    -- kept up by whoever writes runs and findings
    runs        INTEGER NOT NULL DEFAULT 0,
    passed      INTEGER NOT NULL DEFAULT 0,
    failed      INTEGER NOT NULL DEFAULT 0,
    flagged     INTEGER NOT NULL DEFAULT 0,
    findings    INTEGER NOT NULL DEFAULT 0
) STRICT;

CREATE TABLE task (
    n          INTEGER PRIMARY KEY AUTOINCREMENT,
    collection INTEGER NOT NULL REFERENCES collection,
    task_id    TEXT NOT NULL,
    runs       INTEGER NOT NULL DEFAULT 0,
    passed     INTEGER NOT NULL DEFAULT 0,
    failed     INTEGER NOT NULL DEFAULT 0,
    -- findings that are not dismissed, of its runs and of itself, by kind
    broken     INTEGER NOT NULL DEFAULT 0,
    odd        INTEGER NOT NULL DEFAULT 0,
    near       INTEGER NOT NULL DEFAULT 0,
    harness    INTEGER NOT NULL DEFAULT 0,
    data       INTEGER NOT NULL DEFAULT 0,
    verdict    INTEGER NOT NULL DEFAULT 0,
    UNIQUE (collection, task_id)
) STRICT;

CREATE TABLE task_model (
    task   INTEGER NOT NULL REFERENCES task ON DELETE CASCADE,
    model  TEXT NOT NULL,              -- '' where it is unknown
    runs   INTEGER NOT NULL,
    passed INTEGER NOT NULL,
    failed INTEGER NOT NULL,
    PRIMARY KEY (task, model)
) STRICT, WITHOUT ROWID;

-- What lists filter, sort and count; what they only show is in run_detail, so that a pass over all runs reads little.
CREATE TABLE run (
    n            INTEGER PRIMARY KEY AUTOINCREMENT,
    collection   INTEGER NOT NULL REFERENCES collection,
    task         INTEGER REFERENCES task,
    success      INTEGER,
    imported     INTEGER NOT NULL,
    place        INTEGER NOT NULL,     -- among the runs of the same import
    messages     INTEGER NOT NULL,
    calls        INTEGER NOT NULL,
    broken       INTEGER NOT NULL DEFAULT 0,
    odd          INTEGER NOT NULL DEFAULT 0,
    near         INTEGER NOT NULL DEFAULT 0,
    harness      INTEGER NOT NULL DEFAULT 0,
    data         INTEGER NOT NULL DEFAULT 0,
    attempt      INTEGER,
    tokens_in    INTEGER,
    tokens_out   INTEGER,
    cost_usd     REAL,
    model        TEXT,
    agent        TEXT,
    exit_status  TEXT,
    stopped_by   TEXT,                 -- the data model's "limit"
    format       TEXT,
    id           TEXT NOT NULL UNIQUE,
    external_id  TEXT,
    name         TEXT,
    started_at   TEXT,
    ended_at     TEXT,
    content_hash BLOB NOT NULL
) STRICT;
CREATE INDEX run_imported ON run (collection, imported DESC, place);
CREATE INDEX run_task ON run (task);

CREATE TABLE run_detail (
    run      INTEGER PRIMARY KEY REFERENCES run ON DELETE CASCADE,
    path     TEXT NOT NULL,            -- what its file is known by
    file     TEXT,
    location TEXT,
    gist     TEXT,
    error    TEXT,
    metadata TEXT
) STRICT;

CREATE TABLE run_tag (
    run      INTEGER NOT NULL REFERENCES run ON DELETE CASCADE,
    tag      TEXT NOT NULL,
    position INTEGER NOT NULL,
    by_hand  INTEGER NOT NULL,         -- given here, not by the source: stays when the run is replaced
    PRIMARY KEY (run, tag)
) STRICT, WITHOUT ROWID;

CREATE TABLE score (
    id          INTEGER PRIMARY KEY,   -- run << 26 | position
    name        TEXT,
    value       TEXT,
    answer      INTEGER,               -- texts
    target      INTEGER,
    explanation INTEGER,
    metadata    INTEGER
) STRICT;

CREATE TABLE transcript (
    id        INTEGER PRIMARY KEY,     -- run << 26 | position
    first     INTEGER NOT NULL,        -- message: its place among those of the run
    messages  INTEGER NOT NULL,
    source_id TEXT,
    parent    TEXT,
    name      TEXT,
    metadata  INTEGER                  -- text
) STRICT;

CREATE TABLE message (
    id            INTEGER PRIMARY KEY, -- run << 26 | place among the messages of the run
    transcript    INTEGER NOT NULL,    -- position
    role          INTEGER NOT NULL,
    calls         INTEGER NOT NULL,
    first_call    INTEGER NOT NULL,    -- its place among those of the run
    bytes         INTEGER NOT NULL,    -- of text
    text          INTEGER,             -- texts
    reasoning     INTEGER,
    error         INTEGER,
    metadata      INTEGER,
    duration_ms   INTEGER,
    tokens_in     INTEGER,
    tokens_out    INTEGER,
    model         TEXT,
    timestamp     TEXT,
    finish_reason TEXT,
    tool_call_id  TEXT,
    tool_name     TEXT
) STRICT;

CREATE TABLE tool_call (
    id          INTEGER PRIMARY KEY,   -- run << 26 | place among the calls of the run
    message     INTEGER NOT NULL,      -- place among the messages of the run
    position    INTEGER NOT NULL,      -- in its message
    arguments   INTEGER,               -- texts
    metadata    INTEGER,
    name        TEXT,
    call_id     TEXT,
    parse_error TEXT
) STRICT;

CREATE TABLE blob (
    n          INTEGER PRIMARY KEY,
    sha256     BLOB NOT NULL UNIQUE,
    media_type TEXT,
    bytes      BLOB NOT NULL
) STRICT;

CREATE TABLE message_blob (
    id         INTEGER PRIMARY KEY,    -- run << 26 | place among those of the run
    message    INTEGER NOT NULL,       -- place among the messages of the run
    sha256     BLOB,                   -- NULL: the source only refers to it
    media_type TEXT,
    url        TEXT,
    size       INTEGER NOT NULL
) STRICT;
CREATE INDEX message_blob_sha256 ON message_blob (sha256) WHERE sha256 IS NOT NULL;

-- Neighbouring texts, compressed together. What messages say can be searched; the rest (metadata, scores) is kept apart from it.
CREATE TABLE block (
    id         INTEGER PRIMARY KEY AUTOINCREMENT, -- never used again, so that what is remembered of a block is of that block
    searchable INTEGER NOT NULL,
    data       BLOB NOT NULL
) STRICT;
-- By which a text that comes again is known: place in the block (2 bytes) and hash (16 bytes) of each that is not too short.
CREATE TABLE block_hash (
    block  INTEGER PRIMARY KEY REFERENCES block ON DELETE CASCADE,
    hashes BLOB NOT NULL
) STRICT;
-- Which runs use a block, and which of its texts which messages say (uses.c).
CREATE TABLE block_run (
    block INTEGER NOT NULL,
    run   INTEGER NOT NULL,
    uses  BLOB NOT NULL,
    PRIMARY KEY (block, run)
) STRICT, WITHOUT ROWID;
CREATE INDEX block_run_run ON block_run (run);

CREATE TABLE finding (
    n          INTEGER PRIMARY KEY AUTOINCREMENT,
    collection INTEGER NOT NULL REFERENCES collection,
    run        INTEGER REFERENCES run,  -- of scope run
    task       INTEGER REFERENCES task, -- of scope task, or the run's
    scope      INTEGER NOT NULL,
    severity   INTEGER NOT NULL,
    kind       INTEGER NOT NULL,
    status     INTEGER NOT NULL,
    confidence REAL NOT NULL,
    detector   TEXT NOT NULL,
    behavior   TEXT NOT NULL,
    version    TEXT,
    id         TEXT NOT NULL UNIQUE,
    created_at TEXT NOT NULL,
    title      TEXT,
    message    TEXT,
    captures   TEXT,
    reviewer   TEXT,
    note       TEXT
) STRICT;
-- In the order of the list, and all that the summary counts.
CREATE INDEX finding_list ON finding (collection, severity DESC, detector, behavior, kind, run, task, status);
CREATE INDEX finding_run ON finding (run) WHERE run IS NOT NULL;
CREATE INDEX finding_task ON finding (task, scope) WHERE task IS NOT NULL;

CREATE TABLE span (
    id         INTEGER PRIMARY KEY,    -- finding << 26 | position
    run        INTEGER REFERENCES run, -- NULL: the finding's own
    transcript INTEGER,                -- position; NULL, as message: a field of the run
    message    INTEGER,
    part       TEXT NOT NULL,
    start      INTEGER NOT NULL,
    stop       INTEGER NOT NULL,
    quote      TEXT
) STRICT;
CREATE INDEX span_run ON span (run) WHERE run IS NOT NULL;

CREATE TABLE incomplete (
    run      INTEGER NOT NULL REFERENCES run ON DELETE CASCADE,
    detector TEXT NOT NULL,
    reason   TEXT,
    PRIMARY KEY (run, detector)
) STRICT, WITHOUT ROWID;

CREATE TABLE file (
    collection INTEGER NOT NULL REFERENCES collection ON DELETE CASCADE,
    hash       BLOB NOT NULL,
    path       TEXT NOT NULL,
    name       TEXT,
    format     TEXT,
    bytes      INTEGER NOT NULL,
    runs       INTEGER NOT NULL,
    refused    INTEGER NOT NULL,
    PRIMARY KEY (collection, hash)
) STRICT, WITHOUT ROWID;
CREATE INDEX file_path ON file (collection, path);

CREATE TABLE label (
    n          INTEGER PRIMARY KEY,
    run        INTEGER REFERENCES run ON DELETE CASCADE,
    finding    INTEGER REFERENCES finding ON DELETE CASCADE,
    label_set  TEXT NOT NULL,
    value      TEXT NOT NULL,
    who        TEXT,
    created_at TEXT NOT NULL
) STRICT;
CREATE INDEX label_run ON label (run);
CREATE INDEX label_finding ON label (finding);

CREATE TABLE judgment (
    n                    INTEGER PRIMARY KEY,
    run                  INTEGER NOT NULL REFERENCES run ON DELETE CASCADE,
    rubric               TEXT NOT NULL,
    version              INTEGER NOT NULL,
    judge                TEXT NOT NULL,
    state                TEXT NOT NULL,
    answer               TEXT,
    explanation          TEXT,
    epistemic_confidence REAL,
    cost_usd             REAL,
    created_at           TEXT NOT NULL
) STRICT;
CREATE INDEX judgment_run ON judgment (run);

CREATE TABLE job (
    n           INTEGER PRIMARY KEY AUTOINCREMENT,
    id          TEXT NOT NULL UNIQUE,
    kind        TEXT NOT NULL,
    collection  TEXT,
    key         TEXT,
    state       INTEGER NOT NULL,
    cancel      INTEGER NOT NULL DEFAULT 0,
    attempts    INTEGER NOT NULL DEFAULT 0,
    lease_until INTEGER,
    created_at  TEXT NOT NULL,
    started_at  TEXT,
    ended_at    TEXT,
    payload     TEXT,
    progress    TEXT,
    result      TEXT,
    error       TEXT
) STRICT;
CREATE INDEX job_open ON job (n) WHERE state IN (0, 1);
CREATE UNIQUE INDEX job_key ON job (kind, coalesce(collection, ''), key) WHERE key IS NOT NULL;

-- ---- the contract ---------------------------------------------------------------------------------------------------------
-- The joins on a parent say it twice (n = id >> 26, id in the parent's range), so that either table can be the one looked up.

CREATE VIEW collections AS
SELECT id, name, description, metadata, created_at FROM collection;

CREATE VIEW runs AS
SELECT r.id, c.id AS collection, r.external_id, r.name, t.task_id, r.model, r.agent, r.attempt, r.started_at, r.ended_at,
       r.success, r.exit_status, d.error, r.stopped_by AS "limit", r.tokens_in, r.tokens_out, r.cost_usd,
       (SELECT json_group_array(tag) FROM (SELECT tag FROM run_tag WHERE run = r.n ORDER BY by_hand, position, tag)) AS tags,
       d.metadata,
       json_object('file', d.file, 'location', d.location, 'format', r.format) AS source, d.file, d.location, r.format,
       lower(hex(r.content_hash)) AS content_hash, r.messages, r.calls AS tool_calls
FROM run r JOIN collection c ON c.n = r.collection LEFT JOIN run_detail d ON d.run = r.n LEFT JOIN task t ON t.n = r.task;

CREATE VIEW scores AS
SELECT r.id AS run, s.name, CASE WHEN json_valid(s.value) THEN s.value ->> '$' ELSE s.value END AS value,
       text(s.answer) AS answer, text(s.target) AS target, text(s.explanation) AS explanation, text(s.metadata) AS metadata
FROM score s JOIN run r ON r.n = s.id >> 26 AND s.id BETWEEN r.n << 26 AND r.n << 26 | 67108863;

-- A transcript without an id of its own goes by its position.
CREATE VIEW transcripts AS
SELECT coalesce(t.source_id, CAST(t.id & 67108863 AS TEXT)) AS id, r.id AS run, t.parent, t.name, t.id & 67108863 AS position,
       text(t.metadata) AS metadata, t.messages
FROM transcript t JOIN run r ON r.n = t.id >> 26 AND t.id BETWEEN r.n << 26 AND r.n << 26 | 67108863;

CREATE VIEW messages AS
SELECT r.id AS run, coalesce(t.source_id, CAST(m.transcript AS TEXT)) AS transcript, (m.id & 67108863) - t.first AS "index",
       CASE m.role WHEN 0 THEN 'system' WHEN 1 THEN 'user' WHEN 2 THEN 'assistant' ELSE 'tool' END AS role,
       text(m.text) AS text, text(m.reasoning) AS reasoning, m.model, m.timestamp, m.duration_ms, m.tokens_in, m.tokens_out,
       m.finish_reason, m.tool_call_id, m.tool_name, text(m.error) AS error, text(m.metadata) AS metadata
FROM message m JOIN run r ON r.n = m.id >> 26 AND m.id BETWEEN r.n << 26 AND r.n << 26 | 67108863
     JOIN transcript t ON t.id = (m.id >> 26 << 26) | m.transcript;

CREATE VIEW tool_calls AS
SELECT r.id AS run, coalesce(t.source_id, CAST(m.transcript AS TEXT)) AS transcript, c.message - t.first AS message, c.position,
       c.call_id, c.name, text(c.arguments) AS arguments, c.parse_error, text(c.metadata) AS metadata
FROM tool_call c JOIN run r ON r.n = c.id >> 26 AND c.id BETWEEN r.n << 26 AND r.n << 26 | 67108863
     JOIN message m ON m.id = (c.id >> 26 << 26) | c.message
     JOIN transcript t ON t.id = (m.id >> 26 << 26) | m.transcript;

CREATE VIEW findings AS
SELECT f.id, c.id AS collection, f.detector, f.version AS detector_version, f.behavior,
       CASE f.kind WHEN 0 THEN 'broken_task' WHEN 1 THEN 'odd_behavior' WHEN 2 THEN 'near_miss' WHEN 3 THEN 'harness'
            ELSE 'data' END AS kind,
       CASE f.severity WHEN 0 THEN 'low' WHEN 1 THEN 'medium' ELSE 'high' END AS severity, f.confidence, f.title, f.message,
       CASE f.scope WHEN 0 THEN 'run' WHEN 1 THEN 'task' ELSE 'collection' END AS scope, r.id AS run, t.task_id,
       CASE f.status WHEN 0 THEN 'open' WHEN 1 THEN 'confirmed' ELSE 'dismissed' END AS status, f.reviewer, f.note, f.created_at
FROM finding f JOIN collection c ON c.n = f.collection LEFT JOIN run r ON r.n = f.run LEFT JOIN task t ON t.n = f.task;

CREATE VIEW evidence AS
SELECT f.id AS finding, r.id AS run, coalesce(t.source_id, CAST(s.transcript AS TEXT)) AS transcript, s.message, s.part, s.start,
       s.stop AS "end", s.quote
FROM span s JOIN finding f ON f.n = s.id >> 26 AND s.id BETWEEN f.n << 26 AND f.n << 26 | 67108863
     LEFT JOIN run r ON r.n = coalesce(s.run, f.run)
     LEFT JOIN transcript t ON t.id = coalesce(s.run, f.run) << 26 | s.transcript;

CREATE VIEW labels AS
SELECT r.id AS run, f.id AS finding, l.label_set, l.value, l.who, l.created_at AS "when"
FROM label l LEFT JOIN run r ON r.n = l.run LEFT JOIN finding f ON f.n = l.finding;

CREATE VIEW tasks AS
SELECT c.id AS collection, t.task_id, t.runs AS attempts, t.passed AS successes, t.failed AS failures,
       CASE WHEN t.passed + t.failed > 0 THEN CAST(t.passed AS REAL) / (t.passed + t.failed) END AS pass_rate,
       (SELECT json_group_array(model) FROM task_model WHERE task = t.n AND model <> '') AS models,
       t.broken + t.odd + t.near + t.harness + t.data AS findings,
       CASE t.verdict WHEN 0 THEN 'sound' WHEN 1 THEN 'suspect' ELSE 'broken' END AS verdict
FROM task t JOIN collection c ON c.n = t.collection;

CREATE VIEW judgments AS
SELECT r.id AS run, j.rubric, j.version, j.judge, j.state, j.answer, j.explanation, j.epistemic_confidence, j.cost_usd,
       j.created_at
FROM judgment j JOIN run r ON r.n = j.run;
