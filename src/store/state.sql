-- What this device is and which snapshots it holds. One file, encrypted with the vault's state key.

CREATE TABLE enrolment (
    one            INTEGER PRIMARY KEY CHECK (one = 1),
    device         BLOB    NOT NULL CHECK (length(device) = 16),      -- drawn at enrolment
    label          TEXT    NOT NULL,                                  -- what the screen calls the device
    unit           INTEGER NOT NULL,                                  -- number of the unit
    root_hash      BLOB    NOT NULL CHECK (length(root_hash) = 32),   -- SHA-256 of the root document pinned then
    purpose        INTEGER NOT NULL,                                  -- 1 production, 2 demo
    collect_key    BLOB    NOT NULL CHECK (length(collect_key) = 32), -- X25519, headquarters' of this month
    seal_secret    BLOB    NOT NULL CHECK (length(seal_secret) = 32), -- X-Wing, this device's own
    enrolled_at    INTEGER NOT NULL                                   -- seconds since 1970 UTC
) STRICT;

-- The newest root document that is trusted: the pinned one, until a package brings a newer one.
CREATE TABLE trusted_root (
    one          INTEGER PRIMARY KEY CHECK (one = 1),
    hash         BLOB    NOT NULL CHECK (length(hash) = 32),     -- SHA-256 of its bytes
    bytes        BLOB    NOT NULL,                               -- as it was signed; empty before the first package
    root_version INTEGER NOT NULL,                               -- 0 before the first package
    epoch        INTEGER NOT NULL                                -- 0 before the first package
) STRICT;

-- The snapshots that answer: of each dataset the full list, and the changes laid over it.
CREATE TABLE active (
    dataset       INTEGER NOT NULL,                              -- 1 notices, 2 register, 3 anchors
    part          INTEGER NOT NULL,                              -- 0 full list, 1 overlay of changes
    epoch         INTEGER NOT NULL,
    version       INTEGER NOT NULL,
    file          TEXT    NOT NULL,                              -- name in the folder `store`
    key           BLOB    NOT NULL CHECK (length(key) = 32),     -- raw SQLCipher key of that file
    manifest      BLOB    NOT NULL,                              -- the signed outer manifest's bytes
    inner         BLOB    NOT NULL,                              -- the inner manifest, as far as this unit may read
    fresh_hours   INTEGER NOT NULL,                              -- the stricter of list and unit
    usable_hours  INTEGER NOT NULL,                              -- the stricter of list and unit
    chip_required INTEGER NOT NULL,                              -- 1 where list or unit demands the chip
    installed_at  INTEGER NOT NULL,                              -- seconds since 1970 UTC
    is_changed    INTEGER NOT NULL,                              -- 1 where it was found to be not what was signed
    PRIMARY KEY (dataset, part)
) STRICT;

-- Nothing at or below this may be installed again.
CREATE TABLE floor (
    dataset INTEGER PRIMARY KEY,
    epoch   INTEGER NOT NULL,
    version INTEGER NOT NULL
) STRICT;

-- The installation that is under way, one a dataset: what a cut leaves goes on from here.
CREATE TABLE installation (
    dataset INTEGER PRIMARY KEY,
    part    INTEGER NOT NULL,                                    -- 0 full list, 1 overlay of changes
    stage   INTEGER NOT NULL,                                    -- see install::Stage
    package BLOB    NOT NULL CHECK (length(package) = 32),       -- SHA-256 over the manifest and the chunks granted
    epoch   INTEGER NOT NULL,
    version INTEGER NOT NULL,
    file    TEXT    NOT NULL,                                    -- name in the folder `store`
    key     BLOB    NOT NULL CHECK (length(key) = 32),           -- raw SQLCipher key of that file
    began   INTEGER NOT NULL                                     -- seconds since 1970 UTC
) STRICT;

-- Every package that was offered, and what became of it.
CREATE TABLE load (
    id      INTEGER PRIMARY KEY,                                 -- rises
    at      INTEGER NOT NULL,                                    -- seconds since 1970 UTC
    dataset INTEGER,                                             -- absent where it was refused before that was known
    epoch   INTEGER,
    version INTEGER,
    base    INTEGER,                                             -- version of the full list, of a delta
    by      TEXT    NOT NULL CHECK (length(by) <= 12),           -- service number, may be empty
    source  TEXT    NOT NULL,                                    -- name of the file, without its folder
    outcome TEXT    NOT NULL,                                    -- "installed", "stopped" or the code of the refusal
    bytes   INTEGER NOT NULL,                                    -- length of the package
    seconds INTEGER NOT NULL                                     -- how long it took
) STRICT;

-- Notices that an emergency withdrawal took away, until a newer list comes.
CREATE TABLE withdrawn (
    notice  INTEGER PRIMARY KEY,                                 -- order number
    epoch   INTEGER NOT NULL,                                    -- lists up to this version are affected
    version INTEGER NOT NULL,
    made    INTEGER NOT NULL                                     -- seconds since 1970 UTC
) STRICT;

-- The lower bound of what the time can be, and the moment at which it held.
CREATE TABLE time_base (
    one     INTEGER PRIMARY KEY CHECK (one = 1),
    seconds INTEGER NOT NULL,                                    -- since 1970 UTC
    boot    BLOB    NOT NULL CHECK (length(boot) = 16),          -- the boot in which it held; zeros: none
    since   INTEGER NOT NULL                                     -- seconds since that boot
) STRICT;

-- What the clocks said when they were last looked at.
CREATE TABLE clock_seen (
    one    INTEGER PRIMARY KEY CHECK (one = 1),
    boot   BLOB    NOT NULL CHECK (length(boot) = 16),
    since  INTEGER NOT NULL,                                     -- seconds since that boot
    real   INTEGER NOT NULL,                                     -- real-time clock, seconds since 1970 UTC
    behind INTEGER NOT NULL                                      -- 1 where it was behind the lower bound, and that was logged
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
