-- One snapshot of the notices. Built once, never changed.

CREATE TABLE notice (
    id   INTEGER PRIMARY KEY,                                    -- order number
    body BLOB NOT NULL                                           -- the notice, in sync-format's encoding
) STRICT;

-- Every number of every notice, as text without spaces.
CREATE TABLE notice_number (
    number TEXT    NOT NULL,
    notice INTEGER NOT NULL,
    PRIMARY KEY (number, notice)
) STRICT, WITHOUT ROWID;

-- Every name and alias, folded, with the birth date as it is known (yyyymmdd, parts may be 0).
CREATE TABLE notice_name (
    name   TEXT    NOT NULL,
    birth  INTEGER NOT NULL,
    notice INTEGER NOT NULL,
    PRIMARY KEY (name, birth, notice)
) STRICT, WITHOUT ROWID;
