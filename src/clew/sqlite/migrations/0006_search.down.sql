-- Nothing is lost: the index is made of what is stored.
DROP TABLE message_index;

DROP TABLE message_place;

DROP TABLE indexed_timeline;

DROP TABLE search_state;

DROP TABLE family_to_index;
