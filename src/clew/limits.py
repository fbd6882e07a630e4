"""Every limit that clew sets, by name. A value beyond one is an ``InvalidRequestError`` that names it."""

MAX_TITLE_CHARS = 10_000
MAX_CWD_CHARS = 32_768  # the longest path of any platform (Windows, with the \\?\ prefix)
MAX_SOURCE_CHARS = 1_000  # of `source`, and of `source_id`
MAX_LABEL_CHARS = 1_000
MAX_OWNER_CHARS = 255  # of an owner, and of the name of an API key
MAX_ATTACHMENT_NAME_CHARS = 1_000
MAX_CONTENT_TYPE_CHARS = 255
MAX_SEARCH_CHARS = 1_000_000
MAX_MESSAGE_BYTES = 64 * 1024 * 1024
MAX_METADATA_BYTES = 16 * 1024 * 1024
MAX_MESSAGES_PER_WRITE = 1_000_000
MAX_ATTACHMENT_BYTES = 1024 * 1024 * 1024
MAX_ATTACHMENTS_PER_WRITE = 100_000
MAX_NESTING = 256  # levels of objects and arrays in one value, the value itself included
MAX_COUNT = 2**63 - 1  # the largest `limit` or `offset`

INDEX_BATCH_MESSAGES = 1_024  # that are indexed for search in one transaction, while others wait to write
INDEX_BATCH_BYTES = 1024 * 1024
INDEX_BATCH_SECONDS = 0.25
UNINDEX_BATCH_MESSAGES = 64  # whose words one transaction takes out of the index one by one
MERGED_BATCH_MESSAGES = 1_024  # the same where they are only marked, and go when the index is merged
MERGED_BATCH_PAGES = 500  # of the index, of 4 KiB, that one transaction merges
MERGED_PER_UNINDEXED = 400  # messages whose words are merged in the time in which those of one are taken out
MAX_UNINDEXED_MESSAGES = 2_000  # whose words one transaction takes out of a large index; for more it is built anew
MAX_MERGED_MESSAGES = 200_000  # of an index that one transaction merges
MAX_RANKED_MESSAGES = 2_000  # that are compared with each other, of those that a search finds
MAX_FAMILIES_ASKED = 1_000  # that a search asks the index for; where more are meant it looks at what it finds
DEFAULT_HITS = 20

PREFIX_CACHE_BYTES = 64 * 1024 * 1024
"""How much a store remembers of conversations it wrote in full, so that the next full list is compared in memory."""

ATTACHMENT_CHUNK_BYTES = 256 * 1024
"""Longer attachments are kept in pieces of this size, so that a slice reads what it needs and pieces are shared."""

KEY_USE_SECONDS = 60.0
"""How long the time at which an API key was last used stays as it is, however often it is used."""

DEFAULT_PAGE = 100
DEFAULT_BUSY_TIMEOUT = 5.0  # seconds
MAX_GROUP_COMMIT = 512  # writes in one transaction
MAX_IDLE_READERS = 8
MAX_READERS = 64
ASYNC_THREADS = 64
MAX_POOL = 16  # connections of a store to a PostgreSQL server
MAX_REMEMBERED_HEADS = 1_024  # sessions of which a store knows how it left them
MAX_ROWS_PER_STATEMENT = 10_000
MAX_BYTES_PER_STATEMENT = 16 * 1024 * 1024  # a server takes less than 1 GiB in one message
STATEMENT_TIMEOUT = 60.0  # seconds; at least the busy timeout, and none for looking after a whole store
WATCH_PAGE = 1_000  # changes read at once
WATCH_SECONDS = 0.5  # the longest that a watcher does not look; how soon it notices that it is to end
WATCH_POLL_SECONDS = 0.02  # how often a file is asked whether somebody has written to it
NOTIFY_SECONDS = 0.02  # the shortest time between two notices of a process to those who watch a server
MAX_REQUEST_BYTES = 256 * 1024 * 1024  # of the body of a request to a server, unless that says otherwise
MIN_COMPRESSED_BYTES = 1024  # shorter answers of a server go out as they are
MAX_TAKEN_MESSAGES = 200_000  # of which a server remembers that the agent's reader takes them; 100 bytes each
MAX_KEPT_ANSWERS = 10_000  # of requests with an Idempotency-Key
MAX_KEPT_ANSWER_BYTES = 64 * 1024 * 1024  # of all of them together
KEPT_ANSWER_SECONDS = 24 * 3600.0
MAX_RATE_BUCKETS = 10_000  # callers whose requests a server counts, and API keys of which it knows that they were right
WRONG_KEYS_A_MINUTE = 10  # that an address may come with
MAX_RECORD_BYTES = 32 * 1024 * 1024  # of one line of a source of an import; of a longer one the strings are cut
MAX_DOCUMENT_BYTES = 512 * 1024 * 1024  # of one JSON document of a source of an import, which is read whole
MAX_IMPORT_GROUP_BYTES = 4 * 1024 * 1024  # of the messages and records that an import writes as one checkpoint
MAX_IMPORT_GROUP_MESSAGES = 500
MAX_STEP_SECONDS = 300.0  # a longer pause between two steps of a session is no time in which it was active
STATS_BATCH = 500  # messages that statistics and checks of a conversation read at once
BIGGEST_SESSIONS = 10  # that statistics of a store tell
