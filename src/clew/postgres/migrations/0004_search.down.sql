-- Nothing is lost: the index is made of what is stored.
DROP TABLE clew_message_index;
DROP TABLE clew_message_place;
DROP TABLE clew_indexed_timeline;
DROP TABLE clew_search_state;
