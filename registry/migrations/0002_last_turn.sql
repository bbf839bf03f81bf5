-- The object whose turn the item had last; kept when the turn ends. An item that once had a turn
-- records only while it has it: by this column a late recorder is told from a worker that never asks.
ALTER TABLE work_items ADD COLUMN last_turn TEXT;
UPDATE work_items SET last_turn = holds WHERE holds IS NOT NULL;
