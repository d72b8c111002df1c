-- One installed snapshot of the anchors: what a chip is proven by. Read whole, so it has no index.

CREATE TABLE anchor (
    id   INTEGER PRIMARY KEY,   -- place in the list
    kind INTEGER NOT NULL,      -- 1 certificate, 2 revocation list
    der  BLOB    NOT NULL
) STRICT;
