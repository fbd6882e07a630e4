-- The directories in which sessions were before they were moved, so that they are found by these too.
CREATE TABLE clew_former_directory (
    session bigint  NOT NULL,              -- clew_session.key
    cwd     text    COLLATE "C" NOT NULL,
    seal    integer NOT NULL
);

-- A directory may be longer than what an index takes.
CREATE UNIQUE INDEX clew_former_directory_cwd ON clew_former_directory
    (session, hashtextextended(cwd, 0), hashtextextended(cwd, 1));
