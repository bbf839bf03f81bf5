-- The field's word for it: the right of one open work item to change an object is the object's lock.
ALTER TABLE work_items RENAME COLUMN last_turn TO last_lock;
