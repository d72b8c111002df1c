
-- Changes to a list of notices, laid over it: what is in it comes in the place of the list's own.
-- It stands beside the tables of a list. Order numbers of the list below that no longer answer,
-- changed or withdrawn:
CREATE TABLE replaced (
    id INTEGER PRIMARY KEY
) STRICT;
