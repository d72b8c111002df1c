-- One snapshot of the register: numbers and tags, no name and no date. Built once, never changed.

CREATE TABLE register (
    number INTEGER PRIMARY KEY,                                  -- 12 digits
    tags   INTEGER NOT NULL                                      -- 27 bits, see sync-format
) STRICT;
