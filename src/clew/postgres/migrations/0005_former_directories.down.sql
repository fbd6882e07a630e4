-- Forgets where sessions were before: refused where any was moved, unless the caller says to discard.
DROP TABLE clew_former_directory;
