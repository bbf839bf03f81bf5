-- Why an item is to fail or be cancelled. Kept apart from the note, which also says what happened since:
-- findings may hold any text, so nothing can be parsed back out of a note.
ALTER TABLE work_items ADD COLUMN reason TEXT NOT NULL DEFAULT '';
UPDATE work_items SET reason = note WHERE intended_status IN ('Failed', 'Cancelled');
