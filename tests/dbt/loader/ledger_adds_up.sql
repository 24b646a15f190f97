-- A file's records are all accounted for: loaded and rejected add up to read, and none is less than
-- nothing. The loader checks this before it commits; here it is checked for as long as the row stands.
select
    load_id,
    feed,
    uri,
    records_read,
    records_loaded,
    records_rejected
from {{ source('loader', '_loaded_files') }}
where
    records_read <> records_loaded + records_rejected
    or records_loaded < 0
    or records_rejected < 0
