-- The directories in which sessions were before they were moved, so that they are found by these too.
CREATE TABLE former_directory (
    session INTEGER NOT NULL REFERENCES session (key),
    cwd     TEXT    NOT NULL,
    seal    INTEGER NOT NULL,
    PRIMARY KEY (session, cwd)
) STRICT, WITHOUT ROWID;
