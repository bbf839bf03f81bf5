-- The whole schema, in the SQL that SQLite and PostgreSQL share. `{{identity}}` is the one word they
-- spell differently (store/migrations.rs). Times are microseconds since 1970 in UTC; "none" is NULL,
-- also for numbers that the wire shows as 0. Identifiers of files and events are lower-case uuids.

CREATE TABLE settings (
    name TEXT PRIMARY KEY,
    value TEXT NOT NULL
);

CREATE TABLE institutions (
    id {{identity}},
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    name TEXT NOT NULL,
    identifier TEXT NOT NULL UNIQUE,
    state TEXT NOT NULL CHECK (state IN ('A', 'D')),
    kind TEXT NOT NULL,
    receiving_bucket TEXT NOT NULL UNIQUE,
    restore_bucket TEXT NOT NULL UNIQUE,
    parent_id BIGINT REFERENCES institutions (id),
    deactivated_at BIGINT
);
CREATE INDEX institutions_name ON institutions (name);
CREATE INDEX institutions_kind ON institutions (kind);

CREATE TABLE users (
    id {{identity}},
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    email TEXT NOT NULL UNIQUE,
    role TEXT NOT NULL,
    -- Absent only for an administrator of the whole installation.
    institution_id BIGINT REFERENCES institutions (id),
    -- SHA-256 of the key, in hexadecimal; absent until a key is issued.
    api_key_digest TEXT,
    deactivated_at BIGINT,
    CHECK (role = 'admin' OR institution_id IS NOT NULL)
);

CREATE TABLE intellectual_objects (
    id {{identity}},
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    title TEXT NOT NULL,
    description TEXT NOT NULL,
    identifier TEXT NOT NULL UNIQUE,
    alt_identifier TEXT NOT NULL,
    access TEXT NOT NULL,
    bag_name TEXT NOT NULL,
    institution_id BIGINT NOT NULL REFERENCES institutions (id),
    state TEXT NOT NULL CHECK (state IN ('A', 'D')),
    etag TEXT NOT NULL,
    bag_group_identifier TEXT NOT NULL,
    storage_option TEXT NOT NULL,
    bagit_profile_identifier TEXT NOT NULL,
    source_organization TEXT NOT NULL,
    internal_sender_identifier TEXT NOT NULL,
    internal_sender_description TEXT NOT NULL,
    -- The last ingest that recorded the object. Files saved while it has the object's turn are its.
    work_item_id BIGINT,
    -- Of active files. Kept in step by every transaction that changes files, so that a list never
    -- has to count them.
    file_count BIGINT NOT NULL DEFAULT 0,
    size BIGINT NOT NULL DEFAULT 0,
    payload_file_count BIGINT NOT NULL DEFAULT 0,
    payload_size BIGINT NOT NULL DEFAULT 0
);
CREATE INDEX objects_identifier_prefix ON intellectual_objects (lower(identifier));
CREATE INDEX objects_alt_identifier ON intellectual_objects (alt_identifier);
CREATE INDEX objects_alt_identifier_prefix ON intellectual_objects (lower(alt_identifier));
CREATE INDEX objects_group ON intellectual_objects (bag_group_identifier);
CREATE INDEX objects_group_prefix ON intellectual_objects (lower(bag_group_identifier));
CREATE INDEX objects_access ON intellectual_objects (access);
CREATE INDEX objects_bag_name ON intellectual_objects (bag_name);
CREATE INDEX objects_profile ON intellectual_objects (bagit_profile_identifier);
CREATE INDEX objects_created ON intellectual_objects (created_at);
CREATE INDEX objects_updated ON intellectual_objects (updated_at, id);
CREATE INDEX objects_etag ON intellectual_objects (etag);
CREATE INDEX objects_institution ON intellectual_objects (institution_id, updated_at, id);
CREATE INDEX objects_sender_identifier ON intellectual_objects (internal_sender_identifier);
CREATE INDEX objects_sender_description ON intellectual_objects (internal_sender_description);
CREATE INDEX objects_organization ON intellectual_objects (source_organization);
CREATE INDEX objects_state ON intellectual_objects (state);
CREATE INDEX objects_storage_option ON intellectual_objects (storage_option);
CREATE INDEX objects_file_count ON intellectual_objects (file_count);
CREATE INDEX objects_size ON intellectual_objects (size);
CREATE INDEX objects_work_item ON intellectual_objects (work_item_id);

CREATE TABLE generic_files (
    id {{identity}},
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    file_format TEXT NOT NULL,
    size BIGINT NOT NULL CHECK (size >= 0),
    identifier TEXT NOT NULL UNIQUE,
    intellectual_object_id BIGINT NOT NULL REFERENCES intellectual_objects (id),
    state TEXT NOT NULL CHECK (state IN ('A', 'D')),
    last_fixity_check BIGINT NOT NULL,
    institution_id BIGINT NOT NULL REFERENCES institutions (id),
    storage_option TEXT NOT NULL,
    uuid TEXT NOT NULL UNIQUE,
    mtime BIGINT,
    -- The ingest that recorded the present bytes: the object's work_item_id at that time.
    work_item_id BIGINT
);
CREATE INDEX files_object ON generic_files (intellectual_object_id, state);
CREATE INDEX files_institution ON generic_files (institution_id, updated_at, id);
CREATE INDEX files_created ON generic_files (created_at);
CREATE INDEX files_updated ON generic_files (updated_at, id);
CREATE INDEX files_size ON generic_files (size);
CREATE INDEX files_fixity ON generic_files (last_fixity_check, id);
CREATE INDEX files_fixity_due ON generic_files (state, storage_option, last_fixity_check);
CREATE INDEX files_storage_option ON generic_files (storage_option);
CREATE INDEX files_work_item ON generic_files (work_item_id, state) WHERE work_item_id IS NOT NULL;

CREATE TABLE checksums (
    id {{identity}},
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    algorithm TEXT NOT NULL,
    datetime BIGINT NOT NULL,
    digest TEXT NOT NULL,
    generic_file_id BIGINT NOT NULL REFERENCES generic_files (id),
    UNIQUE (generic_file_id, algorithm, digest)
);
CREATE INDEX checksums_digest ON checksums (digest);
CREATE INDEX checksums_datetime ON checksums (datetime, id);
CREATE INDEX checksums_algorithm ON checksums (algorithm);

CREATE TABLE storage_records (
    id {{identity}},
    generic_file_id BIGINT NOT NULL REFERENCES generic_files (id),
    url TEXT NOT NULL,
    superseded_at BIGINT,
    UNIQUE (generic_file_id, url)
);
CREATE INDEX storage_records_superseded ON storage_records (superseded_at)
    WHERE superseded_at IS NOT NULL;

CREATE TABLE premis_events (
    id {{identity}},
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    agent TEXT NOT NULL,
    date_time BIGINT NOT NULL,
    detail TEXT NOT NULL,
    event_type TEXT NOT NULL,
    generic_file_id BIGINT REFERENCES generic_files (id),
    identifier TEXT NOT NULL UNIQUE,
    institution_id BIGINT NOT NULL REFERENCES institutions (id),
    intellectual_object_id BIGINT NOT NULL REFERENCES intellectual_objects (id),
    object TEXT NOT NULL,
    old_uuid TEXT NOT NULL,
    outcome TEXT NOT NULL,
    outcome_detail TEXT NOT NULL,
    outcome_information TEXT NOT NULL
);
CREATE INDEX events_date_time ON premis_events (date_time, id);
CREATE INDEX events_type ON premis_events (event_type, outcome);
CREATE INDEX events_outcome ON premis_events (outcome);
CREATE INDEX events_file ON premis_events (generic_file_id);
CREATE INDEX events_institution ON premis_events (institution_id, date_time, id);
CREATE INDEX events_object ON premis_events (intellectual_object_id);

CREATE TABLE work_items (
    id {{identity}},
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    name TEXT NOT NULL,
    etag TEXT NOT NULL,
    institution_id BIGINT NOT NULL REFERENCES institutions (id),
    intellectual_object_id BIGINT REFERENCES intellectual_objects (id),
    generic_file_id BIGINT REFERENCES generic_files (id),
    bucket TEXT NOT NULL,
    user_email TEXT NOT NULL,
    note TEXT NOT NULL,
    action TEXT NOT NULL,
    stage TEXT NOT NULL,
    status TEXT NOT NULL,
    outcome TEXT NOT NULL,
    bag_date BIGINT NOT NULL,
    date_processed BIGINT NOT NULL,
    retry BOOLEAN NOT NULL,
    node TEXT,
    pid BIGINT NOT NULL,
    needs_admin_review BOOLEAN NOT NULL,
    queued_at BIGINT,
    size BIGINT NOT NULL CHECK (size >= 0),
    stage_started_at BIGINT,
    aptrust_approver TEXT NOT NULL,
    inst_approver TEXT NOT NULL,
    deletion_request_id BIGINT,
    version BIGINT NOT NULL,
    intended_status TEXT,
    -- The object this item is about: known from its key, or as the worker last asked for it.
    subject TEXT,
    -- Set while the item has the turn of that object; cleared by the update that ends the item.
    holds TEXT,
    CHECK (holds IS NULL OR status NOT IN ('Success', 'Failed', 'Cancelled'))
);
-- One upload, one item: the same scan twice does nothing.
CREATE UNIQUE INDEX items_one_per_upload ON work_items (bucket, name, etag, bag_date)
    WHERE action = 'Ingest';
-- One open item per object, whatever the code above thinks.
CREATE UNIQUE INDEX items_one_turn_per_object ON work_items (holds) WHERE holds IS NOT NULL;
CREATE INDEX items_open_by_subject ON work_items (subject, bag_date, id)
    WHERE status NOT IN ('Success', 'Failed', 'Cancelled');
CREATE INDEX items_updated ON work_items (updated_at, id);
CREATE INDEX items_institution ON work_items (institution_id, updated_at, id);
CREATE INDEX items_action ON work_items (action);
CREATE INDEX items_bag_date ON work_items (bag_date);
CREATE INDEX items_bucket ON work_items (bucket);
CREATE INDEX items_processed ON work_items (date_processed, id);
CREATE INDEX items_etag ON work_items (etag);
CREATE INDEX items_file ON work_items (generic_file_id);
CREATE INDEX items_object ON work_items (intellectual_object_id);
CREATE INDEX items_name ON work_items (name, etag);
CREATE INDEX items_review ON work_items (needs_admin_review);
CREATE INDEX items_node ON work_items (node);
CREATE INDEX items_with_node ON work_items (node) WHERE node IS NOT NULL;
CREATE INDEX items_queued ON work_items (queued_at);
CREATE INDEX items_with_queued ON work_items (queued_at) WHERE queued_at IS NOT NULL;
CREATE INDEX items_retry ON work_items (retry);
CREATE INDEX items_size ON work_items (size);
CREATE INDEX items_stage ON work_items (stage);
CREATE INDEX items_status ON work_items (status, id);
CREATE INDEX items_user ON work_items (user_email);
