-- What this device is and which snapshots it holds. One file, encrypted with the vault's state key.

CREATE TABLE enrolment (
    one            INTEGER PRIMARY KEY CHECK (one = 1),
    device         BLOB    NOT NULL CHECK (length(device) = 16),      -- drawn at enrolment
    label          TEXT    NOT NULL,                                  -- what the screen calls the device
    unit           INTEGER NOT NULL,                                  -- number of the unit
    root_hash      BLOB    NOT NULL CHECK (length(root_hash) = 32),   -- SHA-256 of the trusted root document
    purpose        INTEGER NOT NULL,                                  -- 1 production, 2 demo
    collect_key    BLOB    NOT NULL CHECK (length(collect_key) = 32), -- X25519, headquarters' of this month
    seal_secret    BLOB    NOT NULL CHECK (length(seal_secret) = 32), -- X-Wing, this device's own
    enrolled_at    INTEGER NOT NULL                                   -- seconds since 1970 UTC
) STRICT;

-- The snapshots that answer. A partition is a part of the register; 0 holds all that is loaded.
CREATE TABLE active (
    dataset      INTEGER NOT NULL,                               -- 1 notices, 2 register
    partition    INTEGER NOT NULL,
    epoch        INTEGER NOT NULL,
    version      INTEGER NOT NULL,
    file         TEXT    NOT NULL,                               -- name in the folder `store`
    key          BLOB    NOT NULL CHECK (length(key) = 32),      -- raw SQLCipher key of that file
    manifest     BLOB    NOT NULL,                               -- the signed outer manifest's bytes
    inner        BLOB    NOT NULL,                               -- the inner manifest's bytes
    installed_at INTEGER NOT NULL,                               -- seconds since 1970 UTC
    PRIMARY KEY (dataset, partition)
) STRICT;

-- Nothing at or below this may be installed again.
CREATE TABLE floor (
    dataset INTEGER PRIMARY KEY,
    epoch   INTEGER NOT NULL,
    version INTEGER NOT NULL
) STRICT;

-- The newest signed time seen: the lower bound of what the time can be.
CREATE TABLE time_floor (
    one     INTEGER PRIMARY KEY CHECK (one = 1),
    seconds INTEGER NOT NULL                                     -- since 1970 UTC
) STRICT;

-- How often something limited was used in the running hour, counted in the time since boot, which
-- nobody can set. No query is kept.
CREATE TABLE allowance (
    kind  INTEGER PRIMARY KEY,                                   -- see lookup::Limited
    boot  BLOB    NOT NULL CHECK (length(boot) = 16),            -- the boot in which the hour runs
    since INTEGER NOT NULL,                                      -- its beginning, seconds since that boot
    used  INTEGER NOT NULL
) STRICT;

-- The newest record of the queue: a queue that is lost or damaged goes on from here, so that no
-- number is used twice.
CREATE TABLE queue_head (
    one      INTEGER PRIMARY KEY CHECK (one = 1),
    sequence INTEGER NOT NULL,
    hash     BLOB    NOT NULL CHECK (length(hash) = 32)          -- SHA-256 of its header
) STRICT;

-- What the officer may read of the last records: never a person.
CREATE TABLE recent (
    sequence INTEGER PRIMARY KEY,                                -- the record's number in the queue
    kind     INTEGER NOT NULL,                                   -- see encounter::RecentKind
    hour     INTEGER NOT NULL,                                   -- hours since 1970 UTC
    notice   INTEGER,                                            -- a match or referral names the notice
    outcome  INTEGER                                             -- absent: not recorded yet
) STRICT;

CREATE TABLE setting (
    name  TEXT PRIMARY KEY,
    value TEXT NOT NULL
) STRICT;
