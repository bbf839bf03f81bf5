-- Digests are random, so each new one changes another page of their index: of whole digests these pages were
-- two thirds of what recording a large bag wrote. The first eight characters find a digest as well: of a thousand million
-- digests, hardly any two have them in common.
DROP INDEX checksums_digest;
CREATE INDEX checksums_digest ON checksums (substr(digest, 1, 8));
