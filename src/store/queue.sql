-- The encounter records of this device, in the order of their chain.

CREATE TABLE record (
    sequence  INTEGER PRIMARY KEY,                               -- from 1, without a gap
    header    BLOB    NOT NULL,                                  -- sync-format record header
    signature BLOB    NOT NULL CHECK (length(signature) = 64),   -- ECDSA P-256 over the header
    sealed    BLOB    NOT NULL                                   -- HPKE to headquarters' collect key
) STRICT;

-- Where this chain begins: after a queue that was lost, its numbers go on from there.
CREATE TABLE chain (
    one      INTEGER PRIMARY KEY CHECK (one = 1),
    sequence INTEGER NOT NULL,                                   -- of the record before the first one here
    hash     BLOB    NOT NULL CHECK (length(hash) = 32)          -- of that record's header; zeros: none
) STRICT;

-- Triggers stop mistakes; whoever holds the key can drop them, and the chain shows it.
CREATE TRIGGER record_is_never_changed BEFORE UPDATE ON record
BEGIN SELECT RAISE(ABORT, 'a record is never changed'); END;

CREATE TRIGGER record_is_never_deleted BEFORE DELETE ON record
BEGIN SELECT RAISE(ABORT, 'only an acknowledged record is deleted'); END;
