-- The built-in bucket store, where servers share the database.
CREATE TABLE buckets (
    name       TEXT   NOT NULL PRIMARY KEY,
    account    TEXT   NOT NULL,
    created_at BIGINT NOT NULL
);
CREATE INDEX buckets_account ON buckets (account, name);

CREATE TABLE bucket_objects (
    bucket      TEXT   NOT NULL,
    key         TEXT   NOT NULL,
    content     TEXT   NOT NULL,
    size        BIGINT NOT NULL,
    tag         TEXT   NOT NULL,
    modified_at BIGINT NOT NULL,
    header_json TEXT   NOT NULL,
    upload_id   TEXT   NOT NULL,
    PRIMARY KEY (bucket, key)
);
CREATE INDEX bucket_objects_content ON bucket_objects (content);

-- Unfinished multipart uploads.
CREATE TABLE bucket_uploads (
    id           TEXT   NOT NULL PRIMARY KEY,
    bucket       TEXT   NOT NULL,
    key          TEXT   NOT NULL,
    initiated_at BIGINT NOT NULL,
    header_json  TEXT   NOT NULL
);
CREATE INDEX bucket_uploads_key ON bucket_uploads (bucket, key, id);

CREATE TABLE bucket_parts (
    upload_id   TEXT   NOT NULL,
    number      BIGINT NOT NULL,
    content     TEXT   NOT NULL,
    size        BIGINT NOT NULL,
    md5         TEXT   NOT NULL,
    modified_at BIGINT NOT NULL,
    PRIMARY KEY (upload_id, number)
);
CREATE INDEX bucket_parts_content ON bucket_parts (content);

-- The bytes of objects and parts, in pieces. Those that no record names are
-- being written, or are left over from a crash.
CREATE TABLE bucket_contents (
    id         TEXT   NOT NULL,
    piece      BIGINT NOT NULL,
    data       BLOB   NOT NULL,
    created_at BIGINT NOT NULL,
    PRIMARY KEY (id, piece)
);
CREATE INDEX bucket_contents_age ON bucket_contents (created_at);
