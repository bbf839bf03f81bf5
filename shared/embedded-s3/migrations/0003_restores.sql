-- When the restored copy of a cold object can be read, and when it goes. NULL: nobody asked for one.

ALTER TABLE objects ADD COLUMN ready_micros INTEGER;
ALTER TABLE objects ADD COLUMN expires_micros INTEGER;
ALTER TABLE versions ADD COLUMN ready_micros INTEGER;
ALTER TABLE versions ADD COLUMN expires_micros INTEGER;
